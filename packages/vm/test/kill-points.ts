import assert from "node:assert/strict";
import { join } from "node:path";
import {
  makePlace,
  managerOn,
  removePlace,
  runKillChild,
  settledLeaks,
  type ConformanceSubject,
} from "@virga/testkit";
import type { VmConfig } from "../src/config/vm-config.ts";
import type { VmManager } from "../src/vm-manager.ts";
import type { Vm } from "../src/vm.ts";
import { checkAfterKill } from "./check-after-kill.ts";
import { SHARED_MEMORY, type KillCase } from "./kill-cases.ts";
import type { KillRun } from "./kill-child.ts";

const child = new URL("./kill-child.ts", import.meta.url);

/** A snapshot that a case's VMs come from. */
export interface KillSource extends AsyncDisposable {
  /** Empty where the case needs none. */
  readonly directory: string;
}

/** Kills at every event of an operation, in `lanes` lines at the same time; gives how many events there were. */
export async function killEverywhere(
  subject: ConformanceSubject,
  one: KillCase,
  lanes: number,
): Promise<number> {
  await using source = await sourceToKillOn(subject, one);
  let next = 1;
  let last = Number.POSITIVE_INFINITY;
  const lane = async (): Promise<void> => {
    while (next <= last) {
      const at = next++;
      const wasKilled = await killAt(subject, one, { at, from: source.directory });
      if (!wasKilled) last = Math.min(last, at);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return last - 1;
}

/** The snapshot that a case's VMs come from, made once for all of them. */
export async function sourceToKillOn(
  subject: ConformanceSubject,
  one: KillCase,
): Promise<KillSource> {
  if (one.operation !== "restore" && one.clone === undefined)
    return { directory: "", [Symbol.asyncDispose]: async () => undefined };
  const place = makePlace();
  const manager = await managerOn(subject, place);
  const config = await subject.config(place, "parent");
  const vm = await manager.create({ ...config, ...(one.clone && SHARED_MEMORY) });
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
    const plain = await subject.config(place, "vm");
    const config = one.clone === undefined ? plain : { ...plain, ...SHARED_MEMORY };
    const { operation } = one;
    const snapshot =
      operation === "restore" ? from : join(place.scratch, "parent", "nested", "snapshot");
    const first = await managerOn(subject, place);
    let counted = 0;
    if (one.before !== undefined) {
      const vm = await bringUp(first, one, config, from);
      counted = await subject.guest.counter(vm);
      if (one.before === "paused") await first.pause("vm");
    }
    const { directory } = place;
    const clone = one.clone ?? false;
    const means = { operation, at, clone, directory, launcher, isolation };
    const run: KillRun = { ...means, config, snapshot };
    const wasKilled = await runKillChild(child, run);
    await checkAfterKill(subject, one, { place, config, counted, snapshot, wasKilled });
    for (const vm of first.list()) await vm.destroy();
    // A launcher that was not let go ends by itself, when it learns of its parent's end.
    const leaks = await settledLeaks(place, { descendants: false });
    assert.deepEqual(leaks, [], `killed at event ${at} of ${operation}`);
    return wasKilled;
  } catch (error) {
    throw new Error(`killed at event ${at} of ${one.title}: ${String(error)}`, { cause: error });
  } finally {
    await removePlace(place);
  }
}

/** The VM a case works on, running. */
async function bringUp(
  manager: VmManager,
  one: KillCase,
  config: VmConfig,
  from: string,
): Promise<Vm> {
  if (one.clone === undefined) return manager.create(config);
  const vm = await manager.createFromSnapshot(config, from);
  if (one.operation === "snapshot") await manager.prepareSnapshot("vm");
  return vm;
}
