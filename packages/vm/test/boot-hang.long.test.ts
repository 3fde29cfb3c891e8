import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { test, type TestContext } from "node:test";
import { managerOn, qemuMissing, qemuSubject, withLeakCheck } from "@virga/testkit";

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
  "a kernel that knows its clock's rate boots on a busy host, and the watch ends for one that does not",
  { skip: qemuMissing() },
  async (t) => {
    await withLeakCheck(t, async (place) => {
      await t.test("under load", async (busy) => {
        await keepBusy(busy);
        const manager = await managerOn(qemuSubject, place);
        const outcome = async (id: string, kernelArguments: string[]): Promise<string> => {
          const config = await qemuSubject.config(place, id);
          await using vm = await manager.create({ ...config, kernelArguments });
          return await vm.watchBoot({ signal: AbortSignal.timeout(120_000) });
        };
        // The kernel takes the last of a kind: this takes away what the driver says. Whether it then hangs is up to the host's scheduler.
        assert.match(await outcome("ignorant", ["tsc_early_khz=0"]), /^(?:hung|alive)$/u);
        assert.equal(await outcome("told", []), "alive");
      });
    });
  },
);
