import { testLifeKillsOnFake } from "./test-life-kills.ts";

testLifeKillsOnFake("qemu");
