import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { test, type TestContext } from "node:test";
import {
  countsOn,
  managerOn,
  qemuMissing,
  qemuSubject,
  testInitProbe,
  withLeakCheck,
} from "@virga/testkit";

/** The loops end by themselves should this process be killed. */
const longestMs = 240_000;
const loop = `const end = Date.now() + ${longestMs}; console.log("busy"); while (Date.now() < end);`;

/** Keeps every core busy until the test ends. */
async function keepBusy(t: TestContext): Promise<void> {
  for (let core = 0; core < availableParallelism(); core++) {
    const child = spawn(process.execPath, ["-e", loop], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    t.after(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    await once(child.stdout, "data");
  }
}

test(
  "a guest boots, answers and ends while every core is busy",
  { skip: qemuMissing() },
  async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(qemuSubject, place);
      await t.test("under load", async (busy) => {
        await keepBusy(busy);
        const vm = await manager.create(await qemuSubject.config(place, "a"));
        const before = await testInitProbe.counter(vm);
        await manager.pause(vm.id);
        await manager.resume(vm.id);
        await countsOn(testInitProbe, vm, before);
        await manager.destroy(vm.id);
        assert.deepEqual(manager.list(), []);
      });
    });
  },
);
