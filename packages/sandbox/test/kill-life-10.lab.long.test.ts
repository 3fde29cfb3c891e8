import { testLifeKillShare } from "./test-life-kills.ts";

testLifeKillShare("cloud-hypervisor", 10, 16);
