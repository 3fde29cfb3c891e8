import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { qemuMissing, qemuSubject, seededDraw } from "@virga/testkit";
import { killCases } from "./kill-cases.ts";
import { killAt, sourceToKillOn } from "./kill-points.ts";

// On fakes every step is taken, and with real guests in the long tests: here one step of each operation, another in each run.
describe("real guests on QEMU", { skip: qemuMissing() }, () => {
  const { seed, draw } = seededDraw();

  for (const one of killCases) {
    const at = draw(one.title, one.events);
    test(`killed at a step of ${one.title}, a VM is whole or nothing`, async (t) => {
      t.diagnostic(`event ${at} of ${one.title}; VIRGA_SEED=${seed} repeats it`);
      await using source = await sourceToKillOn(qemuSubject, one);
      assert.ok(await killAt(qemuSubject, one, { at, from: source.directory }));
    });
  }
});
