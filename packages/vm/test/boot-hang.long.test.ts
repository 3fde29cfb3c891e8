import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  hangingKernel,
  keepCoresBusy,
  managerOn,
  qemuMissing,
  qemuSubject,
  withLeakCheck,
} from "@virga/testkit";
import type { VmConfig } from "@virga/vm";

test(
  "on a busy host a kernel that is told its clock's rate boots, and one that hangs is known by its last words",
  { skip: qemuMissing() },
  async (t) => {
    await withLeakCheck(t, async (place) => {
      const hanging = join(place.scratch, "hanging");
      // What a kernel wrote last that did not know its clock's rate. Whether a real one hangs is up to the host's scheduler.
      const lastWords =
        "[    0.000000] tsc: Marking TSC unstable due to could not calculate TSC khz\r\n";
      writeFileSync(hanging, hangingKernel(lastWords));
      await t.test("under load", async (busy) => {
        await keepCoresBusy(busy, 2);
        const manager = await managerOn(qemuSubject, place);
        const outcome = async (id: string, given: Partial<VmConfig>): Promise<string> => {
          const config = await qemuSubject.config(place, id);
          await using vm = await manager.create({ ...config, ...given });
          return await vm.watchBoot({ signal: AbortSignal.timeout(120_000) });
        };
        assert.equal(await outcome("hanging", { kernel: hanging }), "hung");
        assert.equal(await outcome("told", {}), "alive");
      });
    });
  },
);
