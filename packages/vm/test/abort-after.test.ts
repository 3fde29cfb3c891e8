import assert from "node:assert/strict";
import { join } from "node:path";
import { askFakeGuest, askOnStream } from "@virga/testkit";
import { readSnapshot } from "../src/snapshot/check.ts";
import { testOnFakes } from "./with-fake.ts";

testOnFakes("an abort after a call has resolved changes nothing any more", {}, async (bench) => {
  const { manager, place, config } = bench;
  const abort = new AbortController();
  const { signal } = abort;
  const parent = await manager.create(config("parent"), { signal });
  await manager.pause("parent", { signal });
  const snapshot = join(place.scratch, "snapshot");
  await manager.snapshot("parent", snapshot, { signal });
  await manager.resume("parent", { signal });
  const clone = await manager.createFromSnapshot(config("clone"), snapshot, { signal });
  const stream = await clone.connectGuest({ timeoutMs: 10_000, signal });

  abort.abort(new Error("too late"));
  // Whatever listened has been called by now.
  await new Promise(setImmediate);
  assert.equal(await askOnStream(stream, "ping"), "pong");
  await readSnapshot(snapshot);
  for (const vm of [parent, clone]) {
    assert.equal((await vm.info()).state, "running");
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
    await manager.pause(vm.id);
    await manager.resume(vm.id);
    await vm.destroy();
  }
});
