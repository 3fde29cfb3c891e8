import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  countsOn,
  makePlace,
  managerOn,
  removePlace,
  settledLeaks,
  type ConformanceSubject,
  type TestPlace,
} from "@virga/testkit";
import { readSnapshot } from "../src/snapshot/check.ts";
import type { VmManager } from "../src/vm-manager.ts";
import type { Vm } from "../src/vm.ts";
import type { KillRun } from "./kill-child.ts";

const child = fileURLToPath(new URL("./kill-child.ts", import.meta.url));
const cache = fileURLToPath(
  new URL("../../../node_modules/.cache/kill-everywhere", import.meta.url),
);

/** What has to be there before the operation, and what may be there after it was cut at any point. */
export interface KillCase {
  readonly operation: KillRun["operation"];
  /** The VM the operation works on; undefined where it makes one. */
  readonly before?: "running" | "paused";
  /** States the VM may be in if it is still there. */
  readonly after: readonly Vm["state"][];
  readonly mayBeGone: boolean;
  /** Fewest events the operation has, on either driver: lest a loop ends before it began. */
  readonly events: number;
}

/** Every operation. */
export const killCases: readonly KillCase[] = [
  { operation: "create", after: ["running"], mayBeGone: true, events: 24 },
  { operation: "restore", after: ["running"], mayBeGone: true, events: 22 },
  { operation: "snapshot", before: "paused", after: ["paused"], mayBeGone: false, events: 12 },
  {
    operation: "pause",
    before: "running",
    after: ["running", "paused"],
    mayBeGone: false,
    events: 2,
  },
  {
    operation: "resume",
    before: "paused",
    after: ["running", "paused"],
    mayBeGone: false,
    events: 2,
  },
  { operation: "destroy", before: "running", after: ["running"], mayBeGone: true, events: 12 },
];

/** Kills at every event of an operation, in `lanes` lines at the same time; gives how many events there were. */
export async function killEverywhere(
  subject: ConformanceSubject,
  one: KillCase,
  lanes: number,
): Promise<number> {
  await using snapshot = one.operation === "restore" ? await snapshotToKillOn(subject) : undefined;
  let next = 1;
  let last = Number.POSITIVE_INFINITY;
  const lane = async (): Promise<void> => {
    while (next <= last) {
      const at = next++;
      const wasKilled = await killAt(subject, one, { at, from: snapshot?.directory ?? "" });
      if (!wasKilled) last = Math.min(last, at);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return last - 1;
}

/** A snapshot to restore from, made once for all restores. */
export async function snapshotToKillOn(
  subject: ConformanceSubject,
): Promise<AsyncDisposable & { readonly directory: string }> {
  const place = makePlace();
  const manager = await managerOn(subject, place);
  const vm = await manager.create(await subject.config(place, "parent"));
  await subject.guest.ping(vm);
  await manager.pause("parent");
  await manager.snapshot("parent", join(place.scratch, "snapshot"));
  await vm.destroy();
  return {
    directory: join(place.scratch, "snapshot"),
    [Symbol.asyncDispose]: () => removePlace(place),
  };
}

/** Lets a child do the operation and die at event `at`; false when it came to its end before. */
export async function killAt(
  subject: ConformanceSubject,
  one: KillCase,
  { at, from }: { readonly at: number; readonly from: string },
): Promise<boolean> {
  const place = makePlace();
  try {
    const { isolation = "auto" } = subject;
    const launcher = await subject.launcher();
    const config = await subject.config(place, "vm");
    const { operation } = one;
    const snapshot =
      operation === "restore" ? from : join(place.scratch, "parent", "nested", "snapshot");
    const first = await managerOn(subject, place);
    let counted = 0;
    if (one.before !== undefined) {
      const vm = await first.create(config);
      counted = await subject.guest.counter(vm);
      if (one.before === "paused") await first.pause("vm");
    }
    const { directory } = place;
    const run: KillRun = { operation, at, directory, launcher, isolation, config, snapshot };
    const wasKilled = await runChild(run);
    await checkAfter(subject, one, {
      place,
      manager: await managerOn(subject, place),
      counted,
      snapshot,
      wasKilled,
    });
    for (const vm of first.list()) await vm.destroy();
    // A launcher that was not let go ends by itself, when it learns of its parent's end.
    const leaks = await settledLeaks(place, { descendants: false });
    assert.deepEqual(leaks, [], `killed at event ${at} of ${operation}`);
    return wasKilled;
  } catch (error) {
    throw new Error(`killed at event ${at} of ${one.operation}: ${String(error)}`, {
      cause: error,
    });
  } finally {
    await removePlace(place);
  }
}

async function runChild(run: KillRun): Promise<boolean> {
  const args = ["--conditions=virga-source", child, JSON.stringify(run)];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const started = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...env, NODE_COMPILE_CACHE: cache },
  });
  let log = "";
  started.stderr.on("data", (chunk) => (log += String(chunk)));
  const [code, signal] = (await once(started, "close")) as [number | null, string | null];
  if (signal === "SIGKILL") return true;
  assert.equal(code, 0, log);
  return false;
}

/** A new manager recovers what is left: a VM that is whole, or nothing. */
async function checkAfter(
  subject: ConformanceSubject,
  one: KillCase,
  left: {
    readonly place: TestPlace;
    readonly manager: VmManager;
    readonly counted: number;
    readonly snapshot: string;
    readonly wasKilled: boolean;
  },
): Promise<void> {
  const { place, manager, counted, snapshot, wasKilled } = left;
  const outcome = (await manager.recover()).get("vm");
  const vm = manager.get("vm");
  if (vm === undefined) {
    assert.ok(one.mayBeGone, `the VM is gone (${outcome})`);
    assert.ok(outcome === undefined || outcome === "removed", outcome);
    assert.ok(wasKilled || one.operation === "destroy");
  } else {
    assert.ok(wasKilled || one.operation !== "destroy");
    assert.equal(outcome, "whole");
    assert.ok(one.after.includes(vm.state), vm.state);
    if (vm.state === "paused") await manager.resume("vm");
    else {
      await manager.pause("vm");
      await manager.resume("vm");
    }
    await countsOn(subject.guest, vm, counted);
  }
  if (one.operation === "snapshot") {
    if (existsSync(snapshot)) {
      await readSnapshot(snapshot);
      assert.deepEqual(readdirSync(dirname(snapshot)), ["snapshot"]);
    } else {
      assert.ok(wasKilled);
      // Nor is there anything that was made for it to lie in.
      assert.ok(!existsSync(join(place.scratch, "parent")));
    }
  }
  await vm?.destroy();
  assert.deepEqual(await manager.recover(), new Map());
}
