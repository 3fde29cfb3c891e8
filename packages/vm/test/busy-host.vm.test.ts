import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countsOn,
  keepCoresBusy,
  managerOn,
  qemuMissing,
  qemuSubject,
  testInitProbe,
  withLeakCheck,
} from "@virga/testkit";

test(
  "a guest boots, answers and ends while every core is busy",
  { skip: qemuMissing() },
  async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(qemuSubject, place);
      await t.test("under load", async (busy) => {
        await keepCoresBusy(busy, 1);
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
