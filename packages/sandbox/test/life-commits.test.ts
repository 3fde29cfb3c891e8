import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { join } from "node:path";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { fakeHypervisor, testProgram, withLeakCheck } from "@virga/testkit";
import type { LifeStepMessage } from "../src/life/life-operation.ts";
import { fakeHost } from "./fake-host.ts";

test("what decides over files that outlive a power cut is committed durably, and nothing else", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const host = await fakeHost({
      directory: join(place.scratch, "home"),
      hypervisor: "qemu",
      binary: fake.binary,
      launcher: await testProgram("launcher"),
    });
    let step = "";
    const durable: string[] = [];
    const onStep = (message: unknown): void => {
      const { operation, step: name, phase } = message as LifeStepMessage;
      if (phase === "start") step = `${operation}: ${name}`;
    };
    subscribe("virga:sandbox:step", onStep);
    t.after(() => unsubscribe("virga:sandbox:step", onStep));
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
