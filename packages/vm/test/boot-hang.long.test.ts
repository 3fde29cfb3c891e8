import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { hangingKernel, managerOn, qemuMissing, qemuSubject, withLeakCheck } from "@virga/testkit";
import type { VmConfig } from "@virga/vm";

/** The loops end by themselves should this process be killed. */
const LONGEST_MS = 300_000;
const LOOP = `const end = Date.now() + ${LONGEST_MS}; console.log("busy"); while (Date.now() < end);`;

/** More work than there are cores, until the test ends. */
async function keepBusy(t: TestContext): Promise<void> {
  for (let i = 0; i < 2 * availableParallelism(); i++) {
    const child = spawn(process.execPath, ["-e", LOOP], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    t.after(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    await once(child.stdout, "data");
  }
}

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
        await keepBusy(busy);
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
