import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { Sandbox, Snapshots, collectGarbage, recoverHome } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { askFakeGuest, runKillChild } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import type { HypervisorName } from "@virga/vm";
import { agentOf } from "../src/guest/guest-agent.ts";
import type { Access } from "../src/life/access.ts";
import { findVm } from "../src/life/find-vm.ts";
import { verifySnapshot } from "../src/snapshots/snapshot-hashes.ts";
import { snapshotPaths } from "../src/snapshots/snapshot-paths.ts";
import { fakeHost } from "./fake-host.ts";
import type { LifeKillOperation, LifeKillRun } from "./kill-life-child.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

/** One operation, and where its sandbox stands before it. */
export interface LifeKillCase {
  readonly title: string;
  readonly operation: LifeKillOperation;
  /** State of the sandbox `box`; absent for one that is not there. */
  readonly before?: "running" | "paused" | "suspended";
  /** Fewer steps mean that they are not told any more. */
  readonly steps: number;
}

/** All operations of a sandbox's life that can be cut off. */
export const lifeKillCases: readonly LifeKillCase[] = [
  { title: "create", operation: "create", steps: 3 },
  { title: "create from a snapshot", operation: "clone", before: "suspended", steps: 3 },
  { title: "pause", operation: "pause", before: "running", steps: 5 },
  { title: "resume of a paused sandbox", operation: "resume", before: "paused", steps: 5 },
  { title: "suspend", operation: "suspend", before: "running", steps: 7 },
  { title: "suspend of a paused sandbox", operation: "suspend", before: "paused", steps: 5 },
  { title: "resume of a suspended sandbox", operation: "resume", before: "suspended", steps: 5 },
  { title: "snapshot", operation: "snapshot", before: "running", steps: 8 },
  { title: "snapshot of a paused sandbox", operation: "snapshot", before: "paused", steps: 5 },
  { title: "fork", operation: "fork", before: "running", steps: 10 },
  { title: "destroy", operation: "destroy", before: "running", steps: 4 },
  { title: "destroy of a suspended sandbox", operation: "destroy", before: "suspended", steps: 4 },
];

const SECRET = "what-it-remembers";
const child = new URL("./kill-life-child.ts", import.meta.url);

type TestHost = Host & Access;

/** Kills at every event of an operation, one after the other in one state directory; gives how many there were. Leaves nothing. */
export async function killLifeEverywhere(
  place: TestPlace,
  hypervisor: HypervisorName,
  one: LifeKillCase,
  events: LifeKillRun["events"],
): Promise<number> {
  const options = await fakeHostOptions(place, hypervisor);
  for (let at = 1; ; at++) {
    // As every command does it: with nothing in memory of those before it.
    const host = await fakeHost(options);
    await bring(host, one);
    const run: LifeKillRun = { operation: one.operation, at, events, host: options };
    const wasKilled = await runKillChild(child, run);
    try {
      await recoverHome(host.home);
      await checkState(host, one, wasKilled);
    } catch (error) {
      throw new Error(`killed at event ${at} of ${one.title}: ${String(error)}`, { cause: error });
    }
    if (!wasKilled) {
      await removeAll(host, () => true);
      return at - 1;
    }
    await removeAll(host, (name) => name !== "box" && name !== "kept");
  }
}

/** Makes what the case begins with, as far as it is not there. */
async function bring(host: TestHost, { before, operation }: LifeKillCase): Promise<void> {
  if (before === undefined) return;
  const isThere = host.catalog.sandboxes.list().some(({ name }) => name === "box");
  let box: Sandbox;
  if (isThere) box = await Sandbox.connect("box", { host });
  else {
    box = await Sandbox.create({ host, cold: true, name: "box", memoryMib: 96, vcpus: 1 });
    await askFakeGuest(box.vm, `note memory ${SECRET}`);
  }
  const isKept = host.catalog.snapshots.list().some(({ name }) => name === "kept");
  if (operation === "clone" && !isKept) await box.snapshot({ name: "kept" });
  const { state } = await box.info();
  if (state === before) return;
  if (state !== "running") await box.resume();
  if (before === "paused") await box.pause();
  if (before === "suspended") await box.suspend();
}

/** What was killed is whole, or nothing is there of it; nothing else has changed. */
async function checkState(
  host: TestHost,
  { operation, before }: LifeKillCase,
  wasKilled: boolean,
): Promise<void> {
  const rows = host.catalog.sandboxes.list();
  for (const { phase, intent, owner, id } of rows) {
    assert.deepEqual([intent, owner], [null, null], `${id} is settled`);
    assert.ok(phase === "live" || phase === "suspended", phase);
  }
  const names = rows.map(({ name }) => name);
  const others = names.filter((name) => name !== "box");
  const hasBox = names.includes("box");
  if (before !== undefined && operation !== "destroy") assert.ok(hasBox, "the sandbox is there");
  if (operation === "destroy" && !wasKilled) assert.ok(!hasBox, "it was destroyed");
  const made: readonly (string | null)[] =
    operation === "fork"
      ? [null, null]
      : operation === "create" || operation === "clone"
        ? ["new"]
        : [];
  if (others.length > 0 || !wasKilled) assert.deepEqual(others, made, "all of them, or none");
  const snapshots = host.catalog.snapshots.list();
  for (const { id, phase } of snapshots) {
    assert.equal(phase, "ready");
    assert.equal(await verifySnapshot(snapshotPaths(host.home, id).memory, undefined), undefined);
  }
  if (operation === "snapshot" && !wasKilled) assert.equal(snapshots.length, 1);
  assert.deepEqual((await collectGarbage({ home: host.home, dryRun: true })).items, []);
  for (const { id, name } of rows)
    await checkWhole(host, id, name === "new" && operation === "create");
}

/** A sandbox runs, or can be made to, and remembers; what runs in it is not frozen. */
async function checkWhole(host: TestHost, id: string, isNew: boolean): Promise<void> {
  const sandbox = await Sandbox.connect(id, { host });
  const { state } = await sandbox.info();
  assert.ok(["running", "paused", "suspended"].includes(state), state);
  if (state !== "running") await sandbox.resume();
  assert.equal((await sandbox.info()).state, "running");
  const vm = await findVm(host, id);
  assert.ok(vm);
  const agent = agentOf(vm, host);
  const { prepared, initialised } = await agent.ping();
  await agent.close();
  assert.deepEqual([prepared, initialised], [false, true], "it was thawed, and told who it is");
  assert.equal(await askFakeGuest(vm, "recall memory"), isNew ? "" : SECRET);
}

async function removeAll(host: TestHost, isMeant: (name: string | null) => boolean): Promise<void> {
  for (const { id, name } of host.catalog.sandboxes.list()) {
    if (isMeant(name)) await (await Sandbox.connect(id, { host })).destroy();
  }
  const snapshots = new Snapshots({ home: host.home });
  for (const { id, name } of await snapshots.list()) if (isMeant(name)) await snapshots.remove(id);
  if (!isMeant("box")) return;
  const { vms, disks, sandboxes, snapshots: kept } = host.home;
  for (const directory of [vms, disks, sandboxes, kept]) {
    const left = (await readdir(directory)).filter((name) => name !== ".builds");
    assert.deepEqual(left, [], directory);
  }
}
