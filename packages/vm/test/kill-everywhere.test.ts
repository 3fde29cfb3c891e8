import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  askFakeGuest,
  countLeaks,
  describeLeaks,
  fakeConfig,
  fakeHypervisor,
  makePlace,
  removePlace,
  testProgram,
  type TestPlace,
} from "@virga/testkit";
import type { HypervisorDriver } from "../src/hypervisor/port.ts";
import { readSnapshot } from "../src/snapshot/check.ts";
import { VmManager } from "../src/vm-manager.ts";
import type { Vm } from "../src/vm.ts";
import type { KillRun } from "./kill-child.ts";
import { drivers } from "./with-fake.ts";

const child = fileURLToPath(new URL("./kill-child.ts", import.meta.url));
const cache = fileURLToPath(
  new URL("../../../node_modules/.cache/kill-everywhere", import.meta.url),
);
const LANES = 2;

/** What has to be there before the operation, and what may be there after it was cut at any point. */
interface Case {
  readonly operation: KillRun["operation"];
  /** The VM the operation works on; undefined where it makes one. */
  readonly before?: "running" | "paused";
  /** States the VM may be in if it is still there. */
  readonly after: readonly Vm["state"][];
  readonly mayBeGone: boolean;
  /** Fewest events the operation must have, lest the loop ends before it began. */
  readonly events: number;
}

const cases: readonly Case[] = [
  { operation: "create", after: ["running"], mayBeGone: true, events: 16 },
  { operation: "restore", after: ["running"], mayBeGone: true, events: 16 },
  { operation: "snapshot", before: "paused", after: ["paused"], mayBeGone: false, events: 10 },
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
  { operation: "destroy", before: "running", after: ["running"], mayBeGone: true, events: 8 },
];

for (const driver of drivers) {
  // One with namespaces of its own, where this machine allows it, and one without.
  const isolation = driver.name === "qemu" ? "off" : "auto";
  for (const one of cases) {
    test(`${driver.name}: killed at every step of ${one.operation}, a VM is whole or nothing`, async () => {
      await using snapshot =
        one.operation === "restore" ? await snapshotOf(driver, isolation) : undefined;
      let next = 1;
      let last = Number.POSITIVE_INFINITY;
      const lane = async (): Promise<void> => {
        while (next <= last) {
          const at = next++;
          const wasKilled = await killAt(driver, isolation, one, {
            at,
            from: snapshot?.directory ?? "",
          });
          if (!wasKilled) last = Math.min(last, at);
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      assert.ok(last > one.events, `${one.operation} had ${last - 1} events`);
    });
  }
}

/** A snapshot to restore from, made once for all restores of a driver. */
async function snapshotOf(
  driver: HypervisorDriver,
  isolation: "auto" | "off",
): Promise<AsyncDisposable & { readonly directory: string }> {
  const place = makePlace();
  const launcher = await testProgram("launcher");
  const { directory } = place;
  const manager = new VmManager({ directory, launcher, drivers: [driver], isolation });
  const fake = fakeHypervisor({ name: driver.name, directory: place.scratch });
  const vm = await manager.create(fakeConfig(place, "parent", fake));
  await manager.pause("parent");
  await manager.snapshot("parent", join(place.scratch, "snapshot"));
  await vm.destroy();
  return {
    directory: join(place.scratch, "snapshot"),
    [Symbol.asyncDispose]: () => removePlace(place),
  };
}

/** Lets a child do the operation and die at event `at`; false when it came to its end before. */
async function killAt(
  driver: HypervisorDriver,
  isolation: "auto" | "off",
  one: Case,
  { at, from }: { readonly at: number; readonly from: string },
): Promise<boolean> {
  const launcher = await testProgram("launcher");
  const place = makePlace();
  try {
    const fake = fakeHypervisor({ name: driver.name, directory: place.scratch });
    const make = () =>
      new VmManager({ directory: place.directory, launcher, drivers: [driver], isolation });
    const config = fakeConfig(place, "vm", fake);
    const { operation } = one;
    const snapshot = operation === "restore" ? from : join(place.scratch, "snapshot");
    const first = make();
    let counted = 0;
    if (one.before !== undefined) {
      const vm = await first.create(config);
      counted = Number(await askFakeGuest(vm, "counter"));
      if (one.before === "paused") await first.pause("vm");
    }
    const { directory } = place;
    const run: KillRun = { operation, at, directory, launcher, isolation, config, snapshot };
    const wasKilled = await runChild(run);
    await checkAfter(one, { place, manager: make(), counted, snapshot, wasKilled });
    for (const vm of first.list()) await vm.destroy();
    const leaks = describeLeaks(countLeaks(place, { descendants: false }));
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
  one: Case,
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
    assert.ok(Number(await askFakeGuest(vm, "counter")) > counted);
  }
  if (one.operation === "snapshot") {
    if (existsSync(snapshot)) await readSnapshot(snapshot);
    else assert.ok(wasKilled);
    assert.deepEqual(
      readdirSync(place.scratch).filter((name) => name.startsWith(".")),
      [],
    );
  }
  await vm?.destroy();
  assert.deepEqual(await manager.recover(), new Map());
}
