import { testLifeKillShare } from "./test-life-kills.ts";

testLifeKillShare("cloud-hypervisor", 12, 16);
