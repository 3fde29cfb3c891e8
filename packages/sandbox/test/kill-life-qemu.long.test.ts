import { testLifeKillsOnGuests } from "./test-life-kills.ts";

testLifeKillsOnGuests("qemu", ["create", "clone", "pause", "resume", "destroy"]);
