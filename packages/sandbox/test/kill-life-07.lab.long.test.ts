import { testLifeKillShare } from "./test-life-kills.ts";

testLifeKillShare("cloud-hypervisor", 7, 16);
