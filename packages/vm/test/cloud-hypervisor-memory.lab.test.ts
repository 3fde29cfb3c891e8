import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  askTestInit,
  cloudHypervisorConfig,
  cloudHypervisorFileSubject,
  cloudHypervisorMissing,
  managerOn,
  testInitProbe as guest,
  withLeakCheck,
} from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { VmManager } from "@virga/vm";
import type { RestoreMode, Vm, VmConfig } from "@virga/vm";

const MIB = 1024 * 1024;

/** Memory that is the process's alone, in bytes: what one more clone costs. */
async function privateBytes(vm: Vm): Promise<number> {
  const text = await readFile(`/proc/${vm.pid}/smaps_rollup`, "utf8");
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "mu").exec(text)?.[1]);
  return (kib("Private_Dirty") + kib("Private_Clean")) * 1024;
}

async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

async function fileConfig(
  place: TestPlace,
  id: string,
  restoreMode: RestoreMode,
): Promise<VmConfig> {
  const config = await cloudHypervisorConfig(place, id);
  return { ...config, memoryMib: 256, memoryForm: "file", balloon: false, restoreMode };
}

/** Takes a snapshot of a running VM and lets it go on. */
async function fork(place: TestPlace, manager: VmManager, vm: Vm): Promise<string> {
  const directory = join(place.scratch, `snapshot-of-${vm.id}`);
  await manager.pause(vm.id);
  await manager.snapshot(vm.id, directory);
  await manager.resume(vm.id);
  return directory;
}

describe("memory of clones on Cloud Hypervisor", { skip: cloudHypervisorMissing() }, () => {
  test("clones of clones share memory, and a fork writes only what changed", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(cloudHypervisorFileSubject, place);
      const template = await manager.create(await fileConfig(place, "template", "shared"));
      const digest = await guest.remember(template, 1);
      await manager.pause("template");
      const first = join(place.scratch, "first");
      const manifest = await manager.snapshot("template", first);
      await manager.destroy("template");
      const bytes = manifest.memory.bytes;
      assert.ok((await allocatedBytes(join(first, "memory"))) < bytes / 2, "the copy is sparse");

      const parent = await manager.createFromSnapshot(
        await fileConfig(place, "parent", "shared"),
        first,
      );
      assert.equal(await guest.recall(parent), digest);
      const parentBytes = await privateBytes(parent);
      assert.ok(parentBytes < bytes / 2, `${parentBytes} bytes of its own`);

      // Part of what was there is changed, so pages of file and process alternate.
      await askTestInit(parent, "touch", { mib: 3, seed: 2 });
      const changed = await guest.recall(parent);
      assert.notEqual(changed, digest);
      const counted = await guest.counter(parent);
      const second = await fork(place, manager, parent);
      const written = await allocatedBytes(join(second, "memory"));
      // Written by Cloud Hypervisor itself it would be dense.
      assert.ok(written < bytes / 2, `${written} of ${bytes} bytes are allocated`);

      for (const id of ["left", "right"]) {
        const clone = await manager.createFromSnapshot(
          await fileConfig(place, id, "shared"),
          second,
        );
        assert.equal(await guest.recall(clone), changed);
        assert.ok((await guest.counter(clone)) >= counted);
        assert.ok((await privateBytes(clone)) < bytes / 2);
      }
      const [left, right] = [manager.get("left"), manager.get("right")];
      assert.ok(left !== undefined && right !== undefined);
      await askTestInit(left, "touch", { mib: 1, seed: 9 });
      assert.notEqual(await guest.recall(left), changed);
      assert.equal(await guest.recall(right), changed);
      assert.equal(await guest.recall(parent), changed, "the parent went on");
      for (const vm of manager.list()) await vm.destroy();
    });
  });

  test("without a mount namespace clones get paths of their own, and snapshots serve both", async (t) => {
    await withLeakCheck(t, async (place) => {
      const launcher = await cloudHypervisorFileSubject.launcher();
      const drivers = [cloudHypervisorFileSubject.driver];
      const plain = new VmManager({
        directory: place.directory,
        launcher,
        drivers,
        isolation: "off",
      });
      const isolated = await managerOn(cloudHypervisorFileSubject, place);
      const config = async (id: string): Promise<VmConfig> => ({
        ...(await fileConfig(place, id, "shared")),
        memoryMib: 128,
      });
      const template = await plain.create(await config("template"));
      const digest = await guest.remember(template, 5);
      const first = await fork(place, plain, template);
      const clone = await plain.createFromSnapshot(await config("clone"), first);
      assert.equal(await guest.recall(clone), digest);
      await askTestInit(clone, "touch", { mib: 2, seed: 6 });
      const changed = await guest.recall(clone);
      const second = await fork(place, plain, clone);
      assert.ok(
        (await allocatedBytes(join(second, "memory"))) < 64 * MIB,
        "only changes were written",
      );
      const copy = await plain.createFromSnapshot(
        { ...(await config("copy")), restoreMode: "copy" },
        second,
      );
      const other = await isolated.createFromSnapshot(await config("other"), second);
      assert.equal(await guest.recall(copy), changed);
      assert.equal(await guest.recall(other), changed);
      assert.equal(await guest.recall(clone), changed);
      for (const vm of [...plain.list(), ...isolated.list()]) await vm.destroy();
    });
  });
});
