import assert from "node:assert/strict";
import { test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { killLifeEverywhere, lifeKillCases } from "./kill-life.ts";

for (const hypervisor of ["qemu", "cloud-hypervisor"] as const) {
  for (const one of lifeKillCases) {
    test(`${hypervisor}: killed before and after every step of ${one.title}, a sandbox is whole or nothing`, (t) =>
      withLeakCheck(t, async (place) => {
        const events = await killLifeEverywhere(place, hypervisor, one, "begins and ends");
        t.diagnostic(`${events} events`);
        assert.ok(events >= 2 * one.steps, `${one.title} had ${events} events`);
      }));
  }
}
