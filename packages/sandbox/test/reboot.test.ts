import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Sandbox, collectGarbage, recoverHome } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { askFakeGuest, withLeakCheck } from "@virga/testkit";
import { findVm } from "../src/life/find-vm.ts";
import { thisOwner } from "../src/owners/owner-alive.ts";
import { snapshotPaths } from "../src/snapshots/snapshot-paths.ts";
import { fakeHost } from "./fake-host.ts";
import { identityOf, pretendReboot } from "./pretend-reboot.ts";
import { checkNoVm, destroyAll } from "./test-host.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

const LOST = "lost: the host was restarted";

/** One of everything there can be when a machine goes down. */
async function populate(host: Host): Promise<void> {
  const shape = { host, cold: true, memoryMib: 96, vcpus: 1 };
  const make = async (name: string): Promise<Sandbox> => {
    const sandbox = await Sandbox.create({ ...shape, name });
    await askFakeGuest(sandbox.vm, `note memory ${name}`);
    return sandbox;
  };
  await make("running");
  await (await make("paused")).pause();
  const asleep = await make("asleep");
  await asleep.snapshot({ name: "kept" });
  await asleep.fork(1);
  await asleep.suspend();
  await Sandbox.create({ ...shape, name: "ephemeral", ephemeral: true });
  const { sandboxes } = host.catalog;
  // What an operation had begun that the reboot cut off: a create, a resume, a snapshot, a suspend.
  const half = await make("half");
  const creating = { phase: "creating", intent: { kind: "create" }, owner: thisOwner() } as const;
  sandboxes.update(half.id, creating);
  const waking = await make("waking");
  await waking.suspend();
  await waking.resume();
  sandboxes.update(waking.id, { phase: "suspended", intent: { kind: "resume" } });
  const shot = await make("shot");
  const { id: snapshot } = await shot.snapshot({ name: "half-taken" });
  host.catalog.snapshots.update(snapshot, { phase: "creating" });
  const taking = { kind: "snapshot", snapshot, wasPaused: false } as const;
  sandboxes.update(shot.id, { intent: taking, pendingThaw: "thaw" });
  const drowsy = await make("drowsy");
  const suspending = { kind: "suspend", wasPaused: false } as const;
  sandboxes.update(drowsy.id, { intent: suspending, pendingThaw: "thaw" });
}

for (const hypervisor of ["qemu", "cloud-hypervisor"] as const) {
  test(`${hypervisor}: a reboot of the host leaves what was on disk, and the rest is lost and can be removed`, (t) =>
    withLeakCheck(t, async (place) => {
      const options = await fakeHostOptions(place, hypervisor);
      const before = await fakeHost(options);
      await populate(before);
      const stranger = spawn("sleep", ["600"], { stdio: "ignore" });
      await once(stranger, "spawn");
      const ended = once(stranger, "exit");
      try {
        const { home } = before;
        await pretendReboot(home, identityOf(stranger.pid));
        const left = before.catalog.sandboxes.find("running").id;
        const socket = join(
          home.vms,
          left,
          "run",
          hypervisor === "qemu" ? "qmp0.sock" : "api.sock",
        );
        assert.ok(statSync(socket).isSocket(), "sockets of the earlier boot are there");
        await recoverHome(home);
        const host = await fakeHost(options);
        await checkAfterReboot(host);
        await destroyAll(host);
        await checkNoVm(home);
        assert.deepEqual([stranger.exitCode, stranger.signalCode], [null, null], "it lives");
      } finally {
        stranger.kill("SIGKILL");
        await ended;
      }
    }));
}

async function checkAfterReboot(host: Host): Promise<void> {
  const listed = await Sandbox.list({ host });
  const found = new Map(listed.map(({ name, state, reason }) => [name, [state, reason]]));
  assert.deepEqual(
    found,
    new Map<string | null, (string | null)[]>([
      ["running", ["failed", LOST]],
      ["paused", ["failed", LOST]],
      ["asleep", ["suspended", null]],
      [null, ["failed", LOST]],
      ["waking", ["suspended", null]],
      ["shot", ["failed", LOST]],
      ["drowsy", ["failed", LOST]],
    ]),
  );
  const running = await Sandbox.connect("running", { host });
  assert.deepEqual([(await running.info()).reason, (await running.info()).pid], [LOST, null]);
  const ended = { code: "HYPERVISOR_EXITED", message: /has ended \(host-reboot\)/u };
  await assert.rejects(running.run(["true"]), ended);
  const dead = { code: "INVALID_STATE", message: /its VM has ended/u };
  await assert.rejects((await Sandbox.connect("paused", { host })).resume(), dead);
  const snapshots = host.catalog.snapshots.list();
  const phases = new Map(snapshots.map(({ name, phase }) => [name, phase]));
  assert.deepEqual([snapshots.length, phases.get("kept"), phases.get(null)], [2, "ready", "ready"]);
  await running.destroy();
  for (const name of ["asleep", "waking"]) {
    const sandbox = await Sandbox.connect(name, { host });
    await sandbox.resume();
    const vm = await findVm(host, sandbox.id);
    assert.ok(vm);
    assert.equal(await askFakeGuest(vm, "recall memory"), name);
    await sandbox.suspend();
    await sandbox.resume();
  }
  const clone = await Sandbox.create({ host, snapshot: "kept", name: "running" });
  assert.equal(await askFakeGuest(clone.vm, "recall memory"), "asleep");
  const { items } = await collectGarbage({ home: host.home });
  // That of the fork: its one clone was lost.
  assert.deepEqual(
    items.map(({ kind, reason }) => [kind, reason]),
    [["snapshot", "no clone of the fork needs it any more"]],
  );
  for (const { id } of host.catalog.snapshots.list())
    assert.ok(existsSync(snapshotPaths(host.home, id).memory));
}
