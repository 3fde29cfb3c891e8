import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { imageToolsMissing, qemuMissing, seededDraw, withLeakCheck } from "@virga/testkit";
import { killLifeAt, removeAll } from "./kill-life.ts";
import { lifeKillCases } from "./kill-life-cases.ts";
import { openKillHost } from "./kill-life-host.ts";
import { realKillSubject } from "./kill-life-subject.ts";

const skip = qemuMissing() || imageToolsMissing("sqfstar", "mke2fs");
/** A parent's limit is its parts' too. */
const timeout = lifeKillCases.length * 300_000;

// On fakes every step is taken, and with real guests in the long tests: here one step of each operation, another in each run.
describe("real guests on QEMU", { skip }, () => {
  const { seed, draw } = seededDraw();
  test("killed at a step of an operation, a sandbox is whole or nothing", { timeout }, (t) =>
    withLeakCheck(t, async (place) => {
      const subject = await realKillSubject(place, "qemu");
      for (const one of lifeKillCases) {
        const at = draw(one.title, one.steps);
        t.diagnostic(`step ${at} of ${one.title}; VIRGA_SEED=${seed} repeats it`);
        assert.ok(await killLifeAt(subject, one, { at, events: "begins" }), one.title);
      }
      await removeAll(await openKillHost(subject.options));
    }),
  );
});
