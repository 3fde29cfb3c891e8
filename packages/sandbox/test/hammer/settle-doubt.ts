import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Sandbox, recoverHome } from "@virga/sandbox";
import { hammerGuests } from "./hammer-host.ts";
import { AFTER } from "./own-work.ts";
import { askOwn } from "./worker.ts";
import type { HammerWorker } from "./worker.ts";

/**
 * Takes over what an earlier life of this process left: each of its sandboxes and snapshots is as it was before what it was killed in, or as after that. Fails where
 * one is neither, or another one has changed.
 */
export async function settleDoubt(worker: HammerWorker): Promise<void> {
  const { model, host, run } = worker;
  const { doubt, sandboxes, snapshots } = model;
  if (doubt !== null) {
    const { operation, subject, token } = doubt;
    worker.tell(`was killed in ${operation} ${subject}`);
    if (!operation.startsWith("shared")) await untilSettled(worker, subject);
    const row = host.catalog.sandboxes.list().find(({ id, name }) => [id, name].includes(subject));
    const hasSnapshot = host.catalog.snapshots.list().some(({ name }) => name === subject);
    switch (operation) {
      case "create":
      case "clone":
        if (row === undefined) break;
        sandboxes[subject] = { token, state: "running" };
        if (operation === "create") {
          // It may have been killed before it could tell it.
          await (await Sandbox.connect(subject, { host })).run(hammerGuests(run).note(token));
        }
        break;
      case "destroy":
        if (row === undefined) delete sandboxes[subject];
        break;
      case "pause":
      case "resume":
      case "suspend": {
        const before = sandboxes[subject] ?? assert.fail();
        const { state } = await (await Sandbox.connect(subject, { host })).info();
        assert.ok(
          [before.state, AFTER[operation]].includes(state),
          `${operation} ${subject}: ${state}`,
        );
        sandboxes[subject] = { ...before, state };
        break;
      }
      case "snapshot":
        if (hasSnapshot) snapshots[subject] = token;
        break;
      case "remove snapshot":
        if (!hasSnapshot) delete snapshots[subject];
        break;
      case "fork": {
        const parent = sandboxes[subject] ?? assert.fail();
        const known = new Set(Object.keys(sandboxes));
        const clones = host.catalog.sandboxes.list().filter((one) => one.parent === row?.id);
        for (const { id } of clones)
          if (!known.has(id)) sandboxes[id] = { token: parent.token, state: "running" };
        break;
      }
      default:
        // Of what is shared nothing is known; what only looks changes nothing.
        break;
    }
    model.doubt = null;
  }
  for (const name of Object.keys(sandboxes))
    await askOwn(worker, await Sandbox.connect(name, { host }), name);
  const kept = host.catalog.snapshots.list();
  for (const name of Object.keys(snapshots))
    assert.equal(kept.find((one) => one.name === name)?.phase, "ready", name);
}

/** Another process may be at work on what is left of the sandbox or the snapshot: then recovery here leaves that to it. */
async function untilSettled({ host }: HammerWorker, subject: string): Promise<void> {
  const { sandboxes, snapshots } = host.catalog;
  for (;;) {
    await recoverHome(host.home);
    const rows = sandboxes.list();
    const row = rows.find(({ id, name }) => [id, name].includes(subject));
    const mine = rows.filter(
      ({ id, parent }) => row !== undefined && [id, parent].includes(row.id),
    );
    const isLeft =
      mine.some(({ intent, owner }) => intent !== null || owner !== null) ||
      snapshots.list().some(({ name, phase }) => name === subject && phase !== "ready");
    if (!isLeft) return;
    await sleep(20);
  }
}
