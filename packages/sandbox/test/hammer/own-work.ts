import assert from "node:assert/strict";
import { Sandbox, Snapshots } from "@virga/sandbox";
import { hammerGuests } from "./hammer-host.ts";
import { allow, askOwn, step } from "./worker.ts";
import type { HammerWorker, Lot } from "./worker.ts";

const MOST_OWN = 3;

/** What to do with a sandbox of that state. */
const WORK = {
  running: ["run", "run", "pause", "suspend", "snapshot", "fork", "destroy"],
  paused: ["run", "resume", "resume", "suspend", "snapshot", "fork", "destroy"],
  suspended: ["run", "resume", "resume", "destroy"],
} as const;

/** The state of a sandbox after these operations. */
export const AFTER = { pause: "paused", resume: "running", suspend: "suspended" } as const;

/** Does something with what nobody else works on, which therefore must succeed. False where there is nothing to do. */
export async function useOwn(worker: HammerWorker, lot: Lot): Promise<boolean> {
  const { model, host } = worker;
  const { sandboxes } = model;
  const names = Object.keys(sandboxes);
  const name = names[lot("which", names.length + 1)];
  if (name === undefined) {
    if (names.length >= MOST_OWN) return false;
    await make(worker, lot);
    return true;
  }
  const { state, token } = sandboxes[name] ?? assert.fail();
  const work = WORK[state as keyof typeof WORK];
  let what = work[lot("what", work.length)] ?? assert.fail();
  if (what === "fork" && names.length >= MOST_OWN) what = "destroy";
  const sandbox = await Sandbox.connect(name, { host });
  if (what === "snapshot") {
    await snapshotOwn(worker, sandbox, token);
    return true;
  }
  await step(worker, what, name, async () => {
    if (what === "run") await askOwn(worker, sandbox, name);
    else if (what === "destroy") {
      await sandbox.destroy();
      delete sandboxes[name];
    } else if (what === "fork") {
      for (const clone of await sandbox.fork(1 + lot("count", 2))) {
        sandboxes[clone.id] = { token, state: "running" };
        await askOwn(worker, clone, clone.id);
      }
    } else {
      await sandbox[what]();
      sandboxes[name] = { token, state: AFTER[what] };
    }
  });
  return true;
}

/** A new one, or one that goes on from a snapshot. */
async function make(worker: HammerWorker, lot: Lot): Promise<void> {
  const { run, host, model } = worker;
  const { options, note } = hammerGuests(run);
  const name = `own-${run.index}-${model.begun}`;
  const kept = Object.keys(model.snapshots);
  const snapshot = kept[lot("snapshot", kept.length + 1)];
  const token = snapshot === undefined ? `token-${name}` : (model.snapshots[snapshot] ?? "");
  const body = async (): Promise<void> => {
    const source = snapshot === undefined ? options : { snapshot };
    const sandbox = await Sandbox.create({ ...source, host, name });
    if (snapshot === undefined) await sandbox.run(note(token));
    model.sandboxes[name] = { token, state: "running" };
    await askOwn(worker, sandbox, name);
  };
  await step(worker, snapshot === undefined ? "create" : "clone", name, body, token);
}

/** Takes one, or removes the oldest where there are enough. */
async function snapshotOwn(worker: HammerWorker, sandbox: Sandbox, token: string): Promise<void> {
  const { run, host, model } = worker;
  const { snapshots } = model;
  const [oldest, another] = Object.keys(snapshots);
  if (oldest !== undefined && another !== undefined) {
    await step(worker, "remove snapshot", oldest, async () => {
      // Its own clones may need it.
      const id = await allow("remove snapshot", ["IN_USE"], () =>
        new Snapshots({ home: host.home }).remove(oldest),
      );
      if (id !== undefined) delete snapshots[oldest];
    });
    return;
  }
  const name = `own-${run.index}-${model.begun}`;
  const body = async (): Promise<void> => {
    await sandbox.snapshot({ name });
    snapshots[name] = token;
  };
  await step(worker, "snapshot", name, body, token);
}
