import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { join } from "node:path";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { fakeHypervisor, testProgram, withLeakCheck } from "@virga/testkit";
import type { SandboxRow } from "../src/catalog/rows.ts";
import type { LifeStepMessage } from "../src/life/life-operation.ts";
import { fakeHost } from "./fake-host.ts";

test("a sandbox can be used while its snapshot is hashed; a paused one stays as it is", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const host = await fakeHost({
      directory: join(place.scratch, "home"),
      hypervisor: "qemu",
      binary: fake.binary,
      launcher: await testProgram("launcher"),
    });
    const pending: Record<string, SandboxRow["pendingThaw"] | undefined> = {};
    const onStep = (message: unknown): void => {
      const { operation, sandbox, step, phase } = message as LifeStepMessage;
      if (operation !== "snapshot" || phase !== "start") return;
      const row = host.catalog.sandboxes.get(sandbox);
      if (step === "thaw" || step === "hash") pending[step] = row?.pendingThaw;
      if (step === "hash") assert.equal(row?.intent?.kind, "snapshot");
    };
    subscribe("virga:sandbox:step", onStep);
    t.after(() => unsubscribe("virga:sandbox:step", onStep));
    await using box = await Sandbox.create({ host, cold: true, memoryMib: 96, vcpus: 1 });
    await box.snapshot();
    assert.deepEqual(pending, { thaw: "thaw", hash: "none" });
    await box.pause();
    await box.snapshot();
    assert.equal(pending["hash"], "thaw");
    assert.equal((await box.info()).state, "paused");
  }));
