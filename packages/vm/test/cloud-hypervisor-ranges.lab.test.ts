import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  askTestInit,
  cloudHypervisorFileSubject,
  cloudHypervisorMissing,
  managerOn,
  testInitProbe as guest,
  withLeakCheck,
} from "@virga/testkit";
import type { Vm } from "../src/index.ts";

const MIB = 2 ** 20;
const MEMORY_MIB = 4096;
/** Most of the gigabyte above 4 GiB is kept from the guest, so that little fills the rest of it and goes on below 3 GiB. */
const KERNEL_ARGUMENTS = ["quiet", "memmap=912M$4G"];
const FILLED_MIB = 64;
/** Pages of 4 KiB that lie on each side at least. */
const SIDE_PAGES = 1024;

async function fill(vm: Vm, seed: number): Promise<string> {
  await askTestInit(vm, "fill", { mib: FILLED_MIB, seed });
  const sides = await askTestInit(vm, "sides");
  const [low, high] = [Number(sides.get("low")), Number(sides.get("high"))];
  assert.ok(low >= SIDE_PAGES && high >= SIDE_PAGES, `${low} pages below 4 GiB, ${high} above`);
  return guest.recall(vm);
}

test(
  "memory on both sides of the hole below 4 GiB comes back on Cloud Hypervisor, from a template and from a shared clone",
  { skip: cloudHypervisorMissing() },
  async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(cloudHypervisorFileSubject, place);
      const configOf = async (id: string) => ({
        ...(await cloudHypervisorFileSubject.config(place, id)),
        memoryMib: MEMORY_MIB,
        kernelArguments: KERNEL_ARGUMENTS,
      });
      const snapshot = async (vm: Vm): Promise<string> => {
        const directory = join(place.scratch, `of-${vm.id}`);
        await manager.pause(vm.id);
        const { memory } = await manager.snapshot(vm.id, directory);
        if (vm.id !== "template") assert.equal(memory.wholeBecause, undefined);
        const { size, blocks } = await stat(join(directory, "memory"));
        assert.equal(size, MEMORY_MIB * MIB);
        assert.ok(blocks * 512 < size / 4, `${blocks * 512} of ${size} bytes are allocated`);
        return directory;
      };
      const template = await manager.create(await configOf("template"));
      const first = await fill(template, 1);
      const firstSnapshot = await snapshot(template);
      await template.destroy();

      const clone = await manager.createFromSnapshot(await configOf("clone"), firstSnapshot);
      assert.equal(await guest.recall(clone), first);
      const second = await fill(clone, 2);
      assert.notEqual(second, first);
      const secondSnapshot = await snapshot(clone);

      const grandchild = await manager.createFromSnapshot(
        await configOf("grandchild"),
        secondSnapshot,
      );
      assert.equal(await guest.recall(grandchild), second);
      await manager.resume(clone.id);
      assert.equal(await guest.recall(clone), second, "the clone went on");
      for (const vm of manager.list()) await vm.destroy();
    });
  },
);
