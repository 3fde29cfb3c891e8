import assert from "node:assert/strict";
import { Sandbox, collectGarbage, recoverHome } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { runKillChild } from "@virga/testkit";
import { agentOf } from "../src/guest/guest-agent.ts";
import type { Access } from "../src/life/access.ts";
import { findVm } from "../src/life/find-vm.ts";
import { verifySnapshot } from "../src/snapshots/snapshot-hashes.ts";
import { snapshotPaths } from "../src/snapshots/snapshot-paths.ts";
import type { LifeKillCase } from "./kill-life-cases.ts";
import type { LifeKillRun } from "./kill-life-child.ts";
import { killShape, openKillHost } from "./kill-life-host.ts";
import type { KillLifeSubject } from "./kill-life-subject.ts";
import { checkNoVm, destroyAll } from "./test-host.ts";

const child = new URL("./kill-life-child.ts", import.meta.url);

type TestHost = Host & Access;

/** Cuts an operation off at one of its events; false when it came to its end before. */
export type CutOff = (host: TestHost, run: LifeKillRun) => Promise<boolean>;

/** Its process is killed, and the next one recovers what it left. */
const killed: CutOff = async ({ home }, run) => {
  const wasKilled = await runKillChild(child, run);
  await recoverHome(home);
  return wasKilled;
};

/** Kills at every event of an operation, one after the other in one state directory; gives how many there were. Leaves nothing. */
export async function killLifeEverywhere(
  subject: KillLifeSubject,
  one: LifeKillCase,
  events: LifeKillRun["events"],
  cutOff: CutOff = killed,
): Promise<number> {
  for (let at = 1; ; at++) {
    if (await killLifeAt(subject, one, { at, events }, cutOff)) continue;
    await removeAll(await openKillHost(subject.options));
    return at - 1;
  }
}

/** Kills at one event of an operation; false when there are not so many. Leaves the sandbox `box` and the snapshot `kept`, for the next case. */
export async function killLifeAt(
  subject: KillLifeSubject,
  one: LifeKillCase,
  { at, events }: Pick<LifeKillRun, "at" | "events">,
  cutOff: CutOff = killed,
): Promise<boolean> {
  const host = await openKillHost(subject.options);
  const { operation } = one;
  try {
    await bring(host, subject, one);
    const run: LifeKillRun = { operation, at, events, host: subject.options };
    const wasKilled = await cutOff(host, run);
    await checkState(host, subject, one, wasKilled);
    await destroyAll(host, (name) => name !== "box" && name !== "kept");
    return wasKilled;
  } catch (error) {
    throw new Error(`cut off at event ${at} of ${one.title}: ${String(error)}`, { cause: error });
  }
}

/** Makes what the case begins with, as far as it is not there. */
async function bring(
  host: TestHost,
  subject: KillLifeSubject,
  { before, operation }: LifeKillCase,
): Promise<void> {
  if (before === undefined) return;
  const isThere = host.catalog.sandboxes.list().some(({ name }) => name === "box");
  let box: Sandbox;
  if (isThere) box = await Sandbox.connect("box", { host });
  else {
    box = await Sandbox.create({ ...killShape(subject.options), host, name: "box" });
    await subject.teach(box);
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
  subject: KillLifeSubject,
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
  const isTaken = snapshots.some(({ name }) => name === "taken");
  if (operation === "snapshot" && !wasKilled) assert.ok(isTaken);
  const { items } = await collectGarbage({ home: host.home, dryRun: true });
  // Of templates the kernel may be another home's.
  assert.deepEqual(
    items.filter(({ kind }) => kind !== "template"),
    [],
  );
  for (const { id, name } of rows)
    await checkWhole(host, subject, id, name === "new" && operation === "create");
}

/** A sandbox runs, or can be made to, and remembers; what runs in it is not frozen. */
async function checkWhole(
  host: TestHost,
  subject: KillLifeSubject,
  id: string,
  isNew: boolean,
): Promise<void> {
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
  await (isNew ? subject.checkBlank : subject.checkMemory)(sandbox, vm);
}

/** Removes all sandboxes and snapshots. Fails when there is anything of them after that. */
export async function removeAll(host: TestHost): Promise<void> {
  await destroyAll(host);
  await checkNoVm(host.home);
}
