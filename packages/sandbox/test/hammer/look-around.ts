import assert from "node:assert/strict";
import { Sandbox, Snapshots, collectGarbage } from "@virga/sandbox";
import { step } from "./worker.ts";
import type { HammerWorker, Lot } from "./worker.ts";

/** Collects garbage, or looks what there is: what is its own is there, and as it was left. */
export async function lookAround(worker: HammerWorker, lot: Lot): Promise<void> {
  const { host, model } = worker;
  const { home } = host;
  if (lot("gc", 3) === 0) {
    return step(worker, "gc", "", async () => void (await collectGarbage({ home })));
  }
  await step(worker, "ls", "", async () => {
    const listed = await Sandbox.list({ host });
    for (const [name, { state }] of Object.entries(model.sandboxes)) {
      const own = listed.find((one) => one.id === name || one.name === name);
      assert.equal(own?.state, state, `ls: ${name}`);
    }
    const snapshots = await new Snapshots({ home }).list();
    for (const name of Object.keys(model.snapshots))
      assert.equal(snapshots.find((one) => one.name === name)?.state, "ready", `ls: ${name}`);
  });
}
