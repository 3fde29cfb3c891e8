import { testLifeKillShare } from "./test-life-kills.ts";

testLifeKillShare("cloud-hypervisor", 3, 16);
