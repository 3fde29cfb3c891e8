import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { countsOn, managerOn, type ConformanceSubject, type TestPlace } from "@virga/testkit";
import type { VmConfig } from "../src/config/vm-config.ts";
import { readSnapshot } from "../src/snapshot/check.ts";
import type { VmManager } from "../src/vm-manager.ts";
import type { Vm } from "../src/vm.ts";
import type { KillCase } from "./kill-cases.ts";

/** What a process that may have been killed left. */
export interface AfterKill {
  readonly place: TestPlace;
  /** Of the VM. */
  readonly config: VmConfig;
  /** What the guest had counted before. */
  readonly counted: number;
  /** Where its snapshot was to appear. */
  readonly snapshot: string;
  readonly wasKilled: boolean;
}

/** A new manager recovers what is left: a VM that is whole, or nothing; and a snapshot that is whole, or nothing. Destroys the VM. */
export async function checkAfterKill(
  subject: ConformanceSubject,
  one: KillCase,
  left: AfterKill,
): Promise<void> {
  const { place, counted, wasKilled } = left;
  const manager = await managerOn(subject, place);
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
    assert.equal((await vm.info()).state, vm.state);
    await checkWhole(subject, one, { manager, vm, counted, place });
  }
  if (one.operation === "snapshot") await checkSnapshot(subject, manager, left);
  await vm?.destroy();
  assert.deepEqual(await manager.recover(), new Map());
}

/** The VM goes on from where it stood, and can be stopped again; where a snapshot was cut off, the next one is taken. */
async function checkWhole(
  subject: ConformanceSubject,
  one: KillCase,
  at: {
    readonly manager: VmManager;
    readonly vm: Vm;
    readonly counted: number;
    readonly place: TestPlace;
  },
): Promise<void> {
  const { manager, vm, counted, place } = at;
  if (vm.state === "paused") await manager.resume("vm");
  else {
    await manager.pause("vm");
    await manager.resume("vm");
  }
  await countsOn(subject.guest, vm, counted);
  if (one.clone === undefined) return;
  await manager.prepareSnapshot("vm");
  await manager.pause("vm");
  await manager.snapshot("vm", join(place.scratch, "next"), { resume: true });
  await countsOn(subject.guest, vm, counted);
}

/** Under the final name lies what a VM is restored from, or nothing, nor anything that was made for it to lie in. */
async function checkSnapshot(
  subject: ConformanceSubject,
  manager: VmManager,
  { place, config, counted, snapshot, wasKilled }: AfterKill,
): Promise<void> {
  if (!existsSync(snapshot)) {
    assert.ok(wasKilled);
    assert.ok(!existsSync(join(place.scratch, "parent")));
    return;
  }
  await readSnapshot(snapshot);
  assert.deepEqual(readdirSync(dirname(snapshot)), ["snapshot"]);
  const { rootfs } = await subject.config(place, "restored");
  const again: VmConfig = { ...config, sandboxId: "restored", ...(rootfs && { rootfs }) };
  const restored = await manager.createFromSnapshot(again, snapshot);
  await countsOn(subject.guest, restored, counted);
  await restored.destroy();
}
