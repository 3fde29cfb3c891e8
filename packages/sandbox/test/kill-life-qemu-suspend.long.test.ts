import { testLifeKillsOnGuests } from "./test-life-kills.ts";

testLifeKillsOnGuests("qemu", ["suspend"]);
