import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { askFakeGuest } from "@virga/testkit";
import { isVirgaError } from "../src/errors.ts";
import { readSnapshot } from "../src/snapshot/check.ts";
import type { StepMessage } from "../src/steps.ts";
import type { Vm } from "../src/vm.ts";
import { assertNothing, testOnFakes, type FakeBench } from "./with-fake.ts";

/**
 * Runs `body` with a signal that is aborted at the first step event of the operation, at the second, and so on, until it comes to its end before.
 * Gives the number of events.
 */
async function abortAtEach(
  operation: string,
  body: (signal: AbortSignal, at: number) => Promise<"done" | "aborted">,
): Promise<number> {
  for (let at = 1; ; at++) {
    const abort = new AbortController();
    let events = 0;
    const onStep = (message: unknown): void => {
      if ((message as StepMessage).operation !== operation) return;
      if (++events === at) abort.abort(new Error("the test's"));
    };
    subscribe("virga:vm:step", onStep);
    try {
      const outcome = await body(abort.signal, at);
      if (!abort.signal.aborted) {
        assert.equal(outcome, "done");
        return at - 1;
      }
    } catch (error) {
      throw new Error(`aborted at event ${at} of ${operation}: ${String(error)}`, { cause: error });
    } finally {
      unsubscribe("virga:vm:step", onStep);
    }
  }
}

/** Whether a call came to its end; anything but that or `ABORTED` fails. */
async function outcomeOf(call: Promise<unknown>): Promise<"done" | "aborted"> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (isVirgaError(error) && error.code === "ABORTED") return "aborted";
    throw error;
  }
}

/** Makes and ends a VM by `start`; an aborted start leaves nothing. */
async function startAborted(
  bench: FakeBench,
  start: () => Promise<unknown>,
): Promise<"done" | "aborted"> {
  const { manager } = bench;
  const outcome = await outcomeOf(start());
  const vm = manager.get("vm");
  if (outcome === "aborted") assert.equal(vm, undefined);
  else {
    assert.ok(vm !== undefined);
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
    await vm.destroy();
  }
  assertNothing(bench);
  return outcome;
}

const SHARED = { memoryForm: "file", balloon: false, restoreMode: "shared" } as const;

/** A running VM that maps the memory of a snapshot. */
async function sharedClone({ manager, place, config }: FakeBench, id: string): Promise<Vm> {
  const template = await manager.create(config("template", SHARED));
  await manager.pause("template");
  const snapshot = join(place.scratch, "template-snapshot");
  await manager.snapshot("template", snapshot);
  await template.destroy();
  return manager.createFromSnapshot(config(id, SHARED), snapshot);
}

testOnFakes("create, aborted at every step, leaves nothing", {}, async (bench) => {
  const { manager, config } = bench;
  const events = await abortAtEach("create", (signal) =>
    startAborted(bench, () => manager.create(config("vm"), { signal })),
  );
  assert.ok(events > 16, String(events));
});

testOnFakes("restore, aborted at every step, leaves nothing", {}, async (bench) => {
  const { manager, config, place, boot } = bench;
  const parent = await boot("parent");
  await manager.pause("parent");
  const snapshot = join(place.scratch, "snapshot");
  await manager.snapshot("parent", snapshot);
  await parent.destroy();
  const events = await abortAtEach("restore", (signal) =>
    startAborted(bench, () => manager.createFromSnapshot(config("vm"), snapshot, { signal })),
  );
  assert.ok(events > 16, String(events));
});

testOnFakes(
  "snapshot, aborted at every step, leaves the VM paused and nothing half",
  {},
  async (bench) => {
    const { manager, place, boot } = bench;
    await using vm = await boot("vm");
    await manager.pause("vm");
    const events = await abortAtEach("snapshot", async (signal, at) => {
      const parent = join(place.scratch, `parent-${at}`);
      const target = join(parent, "nested", "target");
      const outcome = await outcomeOf(manager.snapshot("vm", target, { signal }));
      assert.equal(vm.state, "paused");
      assert.equal((await vm.info()).state, "paused");
      // Nor the directories it made for the snapshot to lie in.
      assert.equal(existsSync(parent), outcome === "done");
      if (outcome === "done") {
        assert.deepEqual(readdirSync(dirname(target)), ["target"]);
        await readSnapshot(target);
      }
      return outcome;
    });
    assert.ok(events > 10, String(events));
    await manager.resume("vm");
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
  },
);

testOnFakes(
  "snapshot of a shared clone that goes on, aborted at every step, leaves a VM that is whole and nothing half",
  {},
  async (bench) => {
    const { manager, place, config } = bench;
    await using vm = await sharedClone(bench, "vm");
    const run = join(vm.config.vmDirectory, "run");
    const prepared = await abortAtEach("prepareSnapshot", async (signal) => {
      const outcome = await outcomeOf(manager.prepareSnapshot("vm", { signal }));
      const copies = readdirSync(vm.config.vmDirectory).filter((name) => name.startsWith("base"));
      // One that was finished may stay: the next snapshot takes it.
      assert.deepEqual(copies, outcome === "done" ? ["base"] : copies.filter((n) => n === "base"));
      assert.equal(vm.state, "running");
      return outcome;
    });
    assert.ok(prepared >= 4, String(prepared));
    const how = { resume: true, whilePaused: async () => undefined };
    let whole = "";
    const events = await abortAtEach("snapshot", async (signal, at) => {
      const parent = join(place.scratch, `parent-${at}`);
      const target = join(parent, "nested", "target");
      await manager.prepareSnapshot("vm");
      await manager.pause("vm");
      const outcome = await outcomeOf(manager.snapshot("vm", target, { signal, ...how }));
      assert.equal((await vm.info()).state, vm.state);
      assert.equal(existsSync(parent), outcome === "done");
      if (outcome === "done") {
        assert.equal(vm.state, "running");
        await readSnapshot(target);
        whole = target;
      } else assert.deepEqual(readdirSync(join(run, "out")), []);
      if (vm.state === "paused") await manager.resume("vm");
      assert.equal(await askFakeGuest(vm, "ping"), "pong");
      return outcome;
    });
    assert.ok(events >= 16, String(events));
    await using clone = await manager.createFromSnapshot(config("clone", SHARED), whole);
    assert.equal(await askFakeGuest(clone, "ping"), "pong");
  },
);

testOnFakes(
  "pause and resume, aborted at every step, leave a state that is true",
  {},
  async (bench) => {
    const { manager, boot } = bench;
    await using vm = await boot("vm");
    const events = await abortAtEach("pause", async (signal) => {
      const outcome = await outcomeOf(manager.pause("vm", { signal }));
      assert.equal((await vm.info()).state, vm.state);
      if (vm.state === "paused") await manager.resume("vm");
      return outcome;
    });
    await manager.pause("vm");
    await abortAtEach("resume", async (signal) => {
      const outcome = await outcomeOf(manager.resume("vm", { signal }));
      assert.equal((await vm.info()).state, vm.state);
      if (vm.state === "running") await manager.pause("vm");
      return outcome;
    });
    assert.ok(events >= 2, String(events));
  },
);

testOnFakes("destroy, aborted at every step, destroys", {}, async (bench) => {
  const { manager, boot } = bench;
  const events = await abortAtEach("destroy", async (signal) => {
    const vm = await boot("vm");
    await manager.destroy("vm", { signal });
    assert.equal(vm.state, "stopped");
    assertNothing(bench);
    return "done";
  });
  assert.ok(events > 8, String(events));
});
