import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  askTestInit,
  managerOn,
  qemuMissing,
  qemuSubject,
  testInitProbe as guest,
  withLeakCheck,
} from "@virga/testkit";
import type { RestoreMode, Vm } from "../src/index.ts";

const SIZES = [
  { memoryMib: 256, filledMib: 128 },
  // More than the gigabyte that lies above 4 GiB in the guest, so that both ranges of its memory are in use.
  { memoryMib: 4096, filledMib: 1500 },
] as const;

for (const { memoryMib, filledMib } of SIZES) {
  const name = `${memoryMib} MiB come back whole, from a template's snapshot and from a shared clone's`;
  test(name, { skip: qemuMissing() }, async (t) => {
    const fill = async (vm: Vm, seed: number): Promise<string> => {
      await askTestInit(vm, "fill", { mib: filledMib, seed });
      return guest.recall(vm);
    };
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(qemuSubject, place);
      const configOf = async (id: string, restoreMode?: RestoreMode) => ({
        ...(await qemuSubject.config(place, id)),
        memoryMib,
        ...(restoreMode && { restoreMode }),
      });
      const snapshot = async (vm: Vm): Promise<string> => {
        const directory = join(place.scratch, `of-${vm.id}`);
        await manager.pause(vm.id);
        const begun = performance.now();
        await manager.snapshot(vm.id, directory);
        t.diagnostic(`${vm.id} was stopped for ${Math.round(performance.now() - begun)} ms`);
        await vm.destroy();
        return directory;
      };
      const template = await manager.create(await configOf("template"));
      const first = await fill(template, 1);
      const firstSnapshot = await snapshot(template);

      const config = await configOf("clone", "shared");
      const clone = await manager.createFromSnapshot(config, firstSnapshot);
      assert.equal(await guest.recall(clone), first);
      const second = await fill(clone, 2);
      assert.notEqual(second, first);
      const secondSnapshot = await snapshot(clone);

      for (const mode of ["copy", "shared"] as const) {
        const again = await configOf(`again-${mode}`, mode);
        await using grandchild = await manager.createFromSnapshot(again, secondSnapshot);
        assert.equal(await guest.recall(grandchild), second);
      }
    });
  });
}
