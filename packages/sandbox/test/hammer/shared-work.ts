import assert from "node:assert/strict";
import { Sandbox, Snapshots } from "@virga/sandbox";
import { hammerGuests } from "./hammer-host.ts";
import { allow, askOwn, step } from "./worker.ts";
import type { HammerWorker, Lot } from "./worker.ts";

/** What every guest of a shared sandbox remembers, once its maker has told it. */
const SHARED_TOKEN = "shared";

const NAMES = ["shared-0", "shared-1"] as const;
const KEPT = ["kept-0", "kept-1"] as const;

/** Error codes that others may cause, operation by operation. What is a process's own fails for nobody. */
const RACES: Readonly<Record<string, readonly string[]>> = {
  create: ["VM_EXISTS", "VM_DESTROYED"],
  // Not there, being taken, being removed.
  clone: ["VM_EXISTS", "VM_DESTROYED", "VM_NOT_FOUND", "NOT_FOUND", "INVALID_STATE"],
  connect: ["VM_NOT_FOUND"],
  // Paused, suspended, still being made; frozen between the look and the call.
  run: ["VM_DESTROYED", "INVALID_STATE", "GUEST_BUSY"],
  pause: ["VM_DESTROYED", "INVALID_STATE"],
  resume: ["VM_DESTROYED", "INVALID_STATE"],
  suspend: ["VM_DESTROYED", "INVALID_STATE"],
  snapshot: ["VM_DESTROYED", "INVALID_STATE", "VM_EXISTS"],
  fork: ["VM_DESTROYED", "INVALID_STATE"],
  "remove snapshot": ["NOT_FOUND", "INVALID_STATE", "IN_USE"],
};

const WORK = [
  "create",
  "create",
  "clone",
  "run",
  "run",
  "pause",
  "resume",
  "suspend",
  "snapshot",
  "fork",
  "remove snapshot",
  "destroy",
] as const;

/** Does something with what all processes work on, which others may be in the way of. */
export async function useShared(worker: HammerWorker, lot: Lot): Promise<void> {
  const what = WORK[lot("what", WORK.length)] ?? assert.fail();
  const name = NAMES[lot("which", NAMES.length)] ?? assert.fail();
  const kept = KEPT[lot("kept", KEPT.length)] ?? assert.fail();
  const subject = what === "remove snapshot" ? kept : name;
  await step(worker, `shared ${what}`, subject, async () => {
    if (what === "create" || what === "clone") return make(worker, what, name, kept);
    const { home } = worker.host;
    if (what === "remove snapshot") return race(what, () => new Snapshots({ home }).remove(kept));
    return work(worker, what, name, kept);
  });
}

async function make(
  { host, run }: HammerWorker,
  what: "create" | "clone",
  name: string,
  kept: string,
): Promise<void> {
  const { options, note } = hammerGuests(run);
  const from = what === "clone" ? { snapshot: kept } : options;
  const sandbox = await race(what, () => Sandbox.create({ ...from, host, name }));
  if (sandbox !== undefined) await race("run", () => sandbox.run(note(SHARED_TOKEN)));
}

async function work(
  worker: HammerWorker,
  what: Exclude<(typeof WORK)[number], "create" | "clone" | "remove snapshot">,
  name: string,
  kept: string,
): Promise<void> {
  const { recall } = hammerGuests(worker.run);
  const sandbox = await race("connect", () => Sandbox.connect(name, { host: worker.host }));
  if (sandbox === undefined) return;
  if (what === "destroy") return sandbox.destroy();
  if (what === "run") {
    const result = await race(what, () => sandbox.run(recall));
    if (result !== undefined) checkShared(result.stdout);
  } else if (what === "snapshot") await race(what, () => sandbox.snapshot({ name: kept }));
  else if (what === "fork") {
    for (const clone of (await race(what, () => sandbox.fork(1))) ?? [])
      await takeOver(worker, clone);
  } else await race(what, () => sandbox[what]());
}

/** A clone has no name, so from here on nobody else works on it. */
async function takeOver(worker: HammerWorker, clone: Sandbox): Promise<void> {
  const { note, recall } = hammerGuests(worker.run);
  checkShared((await clone.run(recall)).stdout);
  await clone.run(note(SHARED_TOKEN));
  worker.model.sandboxes[clone.id] = { token: SHARED_TOKEN, state: "running" };
  await askOwn(worker, clone, clone.id);
}

function race<T>(what: string, body: () => Promise<T>): Promise<T | undefined> {
  return allow(what, RACES[what] ?? [], body);
}

/** Its maker may not have told it yet. */
function checkShared(stdout: string): void {
  assert.ok(stdout === "\n" || stdout === `${SHARED_TOKEN}\n`, JSON.stringify(stdout));
}
