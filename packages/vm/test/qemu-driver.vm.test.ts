import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  askTestInit,
  qemuConfig,
  qemuMissing,
  qemuSubject,
  rejectsWithCode,
  testAssets,
  testInitProbe as guest,
  withLeakCheck,
} from "@virga/testkit";
import { vmLayout } from "../src/directory.ts";
import { watchBoot } from "../src/hypervisor/qemu/boot-watchdog.ts";
import { withQmp } from "../src/hypervisor/qemu/qmp-session.ts";
import { saveChangedPages } from "../src/hypervisor/qemu/save-changed-pages.ts";
import { savePrivateMemory } from "../src/hypervisor/qemu/save-private-memory.ts";
import type { VmContext } from "../src/hypervisor/port.ts";
import { VmManager } from "../src/index.ts";
import type { Vm } from "../src/index.ts";
import type { VmRecord } from "../src/record.ts";
import { readTail } from "../src/read-tail.ts";
import { testConsoleLimit } from "./console-limit.ts";

const MIB = 1 << 20;

async function managerIn(directory: string): Promise<VmManager> {
  const { launcher } = await testAssets();
  return new VmManager({ directory, launcher, drivers: [qemuSubject.driver] });
}

/** What the driver knows of a VM, as far as files go. */
function contextOf({ config }: Vm): VmContext {
  return { config, layout: vmLayout(config.vmDirectory, config.socketName, false) } as VmContext;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

describe("the QEMU driver with real guests", { skip: qemuMissing(), concurrency: false }, () => {
  test("one life: boot watch, console, balloon, monitors, guest connections", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerIn(place.directory);
      const config = await qemuConfig(place, "one");
      await using vm = await manager.create({ ...config, balloon: true });
      const context = contextOf(vm);
      const { host } = context.layout;
      assert.equal(await watchBoot(context, { signal: AbortSignal.timeout(120_000) }), "alive");
      await guest.ping(vm);
      const { bytes } = await readTail(host.console, MIB);
      assert.match(bytes.toString("latin1"), /Linux version /);
      const { mode, size } = await stat(host.memory);
      assert.equal(mode & 0o777, 0o600);
      assert.equal(size, 128 * MIB);

      assert.equal((await vm.info()).memoryActualBytes, 128 * MIB);
      await manager.updateBalloon("one", 32);
      // The guest's driver gives pages when it gets to it.
      while ((await vm.info()).memoryActualBytes !== 96 * MIB) await new Promise(setImmediate);
      await manager.updateBalloon("one", 0);
      while ((await vm.info()).memoryActualBytes !== 128 * MIB) await new Promise(setImmediate);

      await testMonitors(manager, vm, host.qmpOperations);
      await testConnections(vm);
    });
  });

  testConsoleLimit(qemuSubject);

  test("clones that share memory leave its file as it was", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerIn(place.directory);
      const parent = await manager.create(await qemuConfig(place, "parent"));
      const record = await readFile(contextOf(parent).layout.record, "utf8");
      const { build } = JSON.parse(record) as VmRecord;
      const digest = await guest.remember(parent, 5);
      const snapshot = join(place.scratch, "snapshot");
      await manager.pause("parent");
      const whole = await manager.snapshot("parent", snapshot);
      assert.equal(whole.memory.wholeBecause, "the VM maps no snapshot's memory");
      await parent.destroy();
      const memory = join(snapshot, "memory");
      // One that does not know rom=off opens it for writing, and writes nothing.
      const mode = build.mapsReadOnly ? 0o444 : 0o600;
      assert.equal((await stat(memory)).mode & 0o777, mode);
      const before = await hashOf(memory);

      const clones = await Promise.all(
        ["one", "two"].map(async (id) => {
          const config = await qemuConfig(place, id);
          return manager.createFromSnapshot({ ...config, restoreMode: "shared" }, snapshot);
        }),
      );
      const digests = await Promise.all(
        clones.map(async (clone, index) => {
          assert.equal(await guest.recall(clone), digest);
          return guest.remember(clone, 100 + index);
        }),
      );
      assert.notEqual(digests[0], digests[1]);
      for (const [index, clone] of clones.entries()) {
        assert.equal(await guest.recall(clone), digests[index]);
      }
      const [first, second] = clones as [Vm, Vm];
      await compareWaysToSave(manager, second, place.scratch);
      const ended = first.exited;
      process.kill(first.pid, "SIGKILL");
      assert.equal((await ended).reason, "killed");
      assert.equal(await guest.recall(second), digests[1]);
      await guest.end(second, "poweroff");
      assert.equal((await second.exited).reason, "guest-poweroff");
      await Promise.all(clones.map((clone) => clone.destroy()));
      assert.equal(await hashOf(memory), before);
      assert.equal((await stat(memory)).mode & 0o777, mode);
    });
  });

  test("a balloon is refused where memory is shared", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerIn(place.directory);
      const config = { ...(await qemuConfig(place, "parent")), balloon: true };
      await using parent = await manager.create(config);
      await guest.ping(parent);
      const snapshot = join(place.scratch, "snapshot");
      await manager.pause("parent");
      await manager.snapshot("parent", snapshot);
      const clone = { ...config, sandboxId: "clone" };
      await rejectsWithCode(
        manager.createFromSnapshot({ ...clone, restoreMode: "shared" }, snapshot),
        "UNSUPPORTED",
        /balloon/,
      );
      await rejectsWithCode(
        manager.createFromSnapshot({ ...clone, restoreMode: "on-demand" }, snapshot),
        "UNSUPPORTED",
        /on-demand/,
      );
    });
  });
});

/** What is read from QEMU's memory is what QEMU itself gives. Only root may surely look into QEMU. */
async function compareWaysToSave(manager: VmManager, vm: Vm, directory: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { isolated } = await manager.isolation();
  const layout = vmLayout(vm.config.vmDirectory, vm.config.socketName, isolated);
  const { uuid, build } = JSON.parse(await readFile(layout.record, "utf8")) as VmContext;
  const context: VmContext = { config: vm.config, layout, uuid, build };
  await manager.pause(vm.id);
  const [fast, slow] = [join(directory, "fast"), join(directory, "slow")];
  assert.equal(await saveChangedPages(context, fast, { timeoutMs: 60_000 }), undefined);
  await withQmp(layout.host.qmpOperations, { timeoutMs: 60_000 }, (qmp) =>
    savePrivateMemory(context, qmp, slow),
  );
  await manager.resume(vm.id);
  const memories = await Promise.all([readFile(fast), readFile(slow)]);
  // There the guest sees the firmware, not its memory.
  for (const memory of memories) memory.fill(0, 0xf_0000, 0x10_0000);
  assert.ok(memories[0]?.equals(memories[1] ?? Buffer.alloc(0)), "they differ");
}

/** A client that sits on the monitor for operations stops these, by their deadline, and nothing else. */
async function testMonitors(manager: VmManager, vm: Vm, path: string): Promise<void> {
  const occupier = connect(path);
  await once(occupier, "data");
  const signal = AbortSignal.timeout(200);
  await rejectsWithCode(manager.pause(vm.id, { signal }), "ABORTED", /greeting|monitor/);
  assert.equal((await vm.info()).source, "hypervisor");
  occupier.destroy();
  await manager.pause(vm.id);
  await manager.resume(vm.id);
}

/** All connections at once, each to an agent that answers; the next one waits for its turn. */
async function testConnections(vm: Vm): Promise<void> {
  await Promise.all(Array.from({ length: 40 }, () => askTestInit(vm, "ping")));
  const streams = await Promise.all(
    Array.from({ length: 16 }, () => vm.connectGuest({ timeoutMs: 10_000 })),
  );
  await rejectsWithCode(vm.connectGuest({ timeoutMs: 50 }), "CAPACITY", /All 16/);
  const closed = streams.map((stream) => once(stream, "close"));
  for (const stream of streams) stream.destroy();
  await Promise.all(closed);
  await askTestInit(vm, "ping");
}
