import assert from "node:assert/strict";
import { test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { killLifeEverywhere } from "./kill-life.ts";
import { lifeKillCases } from "./kill-life-cases.ts";
import { fakeKillSubject } from "./kill-life-subject.ts";

for (const one of lifeKillCases) {
  test(`killed at every step of ${one.title}, a sandbox is whole or nothing`, (t) =>
    withLeakCheck(t, async (place) => {
      const steps = await killLifeEverywhere(await fakeKillSubject(place, "qemu"), one, "begins");
      t.diagnostic(`${steps} steps`);
      assert.ok(steps >= one.steps, `${one.title} had ${steps} steps`);
    }));
}
