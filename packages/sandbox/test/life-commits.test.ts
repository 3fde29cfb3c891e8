import assert from "node:assert/strict";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { withLeakCheck } from "@virga/testkit";
import { useFakeHost } from "./use-fake-host.ts";

test("what decides over files that outlive a power cut is committed durably, and nothing else", (t) =>
  withLeakCheck(t, async (place) => {
    let step = "";
    const durable: string[] = [];
    const host = await useFakeHost(t, place, ({ operation, step: name, phase }) => {
      if (phase === "start") step = `${operation}: ${name}`;
    });
    const { catalog } = host;
    const transaction = catalog.transaction.bind(catalog);
    t.mock.method(catalog, "transaction", ((body, options) => {
      if (options?.durable === true) durable.push(step);
      return transaction(body, options);
    }) as typeof catalog.transaction);
    const box = await Sandbox.create({ host, cold: true, memoryMib: 96, vcpus: 1 });
    await box.pause();
    await box.resume();
    assert.deepEqual(durable, []);
    await box.suspend();
    await box.resume();
    const taken = await box.snapshot();
    const forks = await box.fork(1);
    for (const one of [box, ...forks]) await one.destroy();
    assert.deepEqual(durable, ["suspend: commit", "resume: live", "snapshot: commit"]);
    assert.equal(catalog.snapshots.get(taken.id)?.phase, "ready");
  }));
