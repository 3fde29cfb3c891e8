import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  countsOn,
  managerOn,
  patientMs,
  rejectsWithCode,
  withLeakCheck,
  type ConformanceSubject,
  type TestPlace,
} from "@virga/testkit";
import type { VmRecord } from "../src/record.ts";
import type { StepMessage } from "../src/steps.ts";
import type { Vm } from "../src/vm.ts";

/** Stops the VMM of VM "vm" when a step of an operation begins, so that it answers nothing any more, and tells `then` its pid. */
function stopIn(step: string, directory: string, then: (pid: number) => void): Disposable {
  const onStep = (message: unknown): void => {
    const seen = message as StepMessage;
    if (seen.vm !== "vm" || seen.step !== step || seen.phase !== "start") return;
    const record = readFileSync(join(directory, "vm", "vm.json"), "utf8");
    const pid = (JSON.parse(record) as VmRecord).process?.pid ?? 0;
    assert.ok(pid > 1);
    process.kill(pid, "SIGSTOP");
    then(pid);
  };
  subscribe("virga:vm:step", onStep);
  return { [Symbol.dispose]: () => void unsubscribe("virga:vm:step", onStep) };
}

/** Kills the VMM some turns of the event loop after it was stopped: before it was asked, while, or after. */
function killIn(step: string, directory: string, turns: number): Disposable {
  const die = async (pid: number): Promise<void> => {
    for (let i = 0; i < turns; i++) await turn();
    process.kill(pid, "SIGKILL");
  };
  return stopIn(step, directory, (pid) => void die(pid));
}

/** Fails unless nothing of a snapshot is there. */
function assertNoSnapshot({ scratch }: TestPlace, target: string): void {
  assert.equal(existsSync(target), false);
  assert.deepEqual(
    readdirSync(scratch).filter((name) => name.startsWith(".")),
    [],
  );
}

/** Tests, on real guests, what becomes of operations whose VMM is killed, or stands still, in the middle of them. */
export function testVmmFaults(subject: ConformanceSubject): void {
  test("a VMM that is killed in pause, snapshot or restore: one clear error, nothing left", async (t) => {
    const turns = Number(process.env["VIRGA_SEED"] ?? randomInt(8)) % 8;
    t.diagnostic(`killed after ${turns} turns; VIRGA_SEED=${turns} repeats it`);
    await withLeakCheck(t, (place) => testKilled(subject, place, turns));
  });

  test("a VMM that stands still: calls end in time, destroy and abort at once, nothing left", async (t) => {
    await withLeakCheck(t, (place) => testStopped(subject, place));
  });
}

async function testKilled(
  subject: ConformanceSubject,
  place: TestPlace,
  turns: number,
): Promise<void> {
  const { guest } = subject;
  const { directory, scratch } = place;
  const manager = await managerOn(subject, place);
  const published = join(scratch, "published");
  const unpublished = join(scratch, "unpublished");

  const first = await manager.create(await subject.config(place, "vm"));
  await guest.ping(first);
  {
    using _ = killIn("pause", directory, turns);
    const error = await rejectsWithCode(manager.pause("vm"), "HYPERVISOR_EXITED");
    assert.match(error.message, /^Cannot pause VM "vm": .*\(killed\)$/u);
  }
  assert.equal(first.state, "failed");
  assert.equal((await first.exited).reason, "killed");
  await first.destroy();

  const second = await manager.create(await subject.config(place, "vm"));
  await guest.ping(second);
  await manager.pause("vm");
  await manager.snapshot("vm", published);
  {
    using _ = killIn("save", directory, turns);
    const taken = manager.snapshot("vm", unpublished);
    const error = await rejectsWithCode(taken, "HYPERVISOR_EXITED");
    assert.match(error.message, /^Cannot snapshot VM "vm": .*\(killed\)$/u);
  }
  assert.equal(second.state, "failed");
  assertNoSnapshot(place, unpublished);
  await second.destroy();

  {
    using _ = killIn("restore", directory, turns);
    const clone = manager.createFromSnapshot(await subject.config(place, "vm"), published);
    const error = await rejectsWithCode(clone, "HYPERVISOR_EXITED");
    assert.match(error.message, /^Cannot restore VM "vm": restore: /u);
  }
  assert.deepEqual(manager.list(), []);
  assert.equal(existsSync(join(directory, "vm")), false);
}

/** What the VMM says of its VM, once it says something. */
async function toldState(vm: Vm): Promise<Vm["state"]> {
  for (;;) {
    const { source, state } = await vm.info();
    if (source === "hypervisor") return state;
  }
}

async function testStopped(subject: ConformanceSubject, place: TestPlace): Promise<void> {
  const { guest } = subject;
  const { directory, scratch } = place;
  const manager = await managerOn(subject, place);
  const published = join(scratch, "published");
  const unpublished = join(scratch, "unpublished");
  const config = await subject.config(place, "vm");
  // The one deadline that is waited for.
  const timeouts = { ...config.timeouts, callMs: patientMs(3_000) };

  const vm = await manager.create({ ...config, timeouts });
  const counted = await guest.counter(vm);
  {
    using _ = stopIn("pause", directory, () => undefined);
    const error = await rejectsWithCode(manager.pause("vm"), "TIMEOUT");
    assert.match(error.message, /^Cannot pause VM "vm": pause: /u);
  }
  // Nobody can tell whether it will have been paused.
  assert.equal(vm.state, "unknown");
  process.kill(vm.pid, "SIGCONT");
  if ((await toldState(vm)) === "running") await manager.pause("vm");
  await manager.resume("vm");
  await countsOn(guest, vm, counted);

  await manager.pause("vm");
  await manager.snapshot("vm", published);
  {
    const stopped = Promise.withResolvers<number>();
    using _ = stopIn("save", directory, stopped.resolve);
    const taken = rejectsWithCode(manager.snapshot("vm", unpublished), "VM_DESTROYED");
    await stopped.promise;
    await vm.destroy();
    await taken;
  }
  assert.equal(vm.state, "stopped");
  assertNoSnapshot(place, unpublished);

  const abort = new AbortController();
  {
    using _ = stopIn("restore", directory, () => abort.abort(new Error("no patience")));
    const { signal } = abort;
    const clone = manager.createFromSnapshot(config, published, { signal });
    await rejectsWithCode(clone, "ABORTED");
  }
  assert.deepEqual(manager.list(), []);
  assert.equal(existsSync(join(directory, "vm")), false);
}
