import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { describe, test } from "node:test";
import { qemuMissing, qemuSubject } from "@virga/testkit";
import { killCases } from "./kill-cases.ts";
import { killAt, sourceToKillOn } from "./kill-points.ts";

/** A number from 1 to `most`, the same for the same seed and name. */
function draw(seed: number, name: string, most: number): number {
  const digest = createHash("sha256").update(`${seed} ${name}`).digest();
  return 1 + (digest.readUInt32LE() % most);
}

// On fakes every step is taken, and with real guests in the long tests: here one step of each operation, another in each run.
describe("real guests on QEMU", { skip: qemuMissing() }, () => {
  const seed = Number(process.env["VIRGA_SEED"] ?? randomInt(2 ** 31));

  for (const one of killCases) {
    const at = draw(seed, one.title, one.events);
    test(`killed at a step of ${one.title}, a VM is whole or nothing`, async (t) => {
      t.diagnostic(`event ${at} of ${one.title}; VIRGA_SEED=${seed} repeats it`);
      await using source = await sourceToKillOn(qemuSubject, one);
      assert.ok(await killAt(qemuSubject, one, { at, from: source.directory }));
    });
  }
});
