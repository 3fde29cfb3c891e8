import { testLifeKillShare } from "./test-life-kills.ts";

testLifeKillShare("cloud-hypervisor", 16, 16);
