import assert from "node:assert/strict";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { withLeakCheck } from "@virga/testkit";
import type { SandboxRow } from "../src/catalog/rows.ts";
import { useFakeHost } from "./use-fake-host.ts";

test("a sandbox can be used while its snapshot is hashed; a paused one stays as it is", (t) =>
  withLeakCheck(t, async (place) => {
    const pending: Record<string, SandboxRow["pendingThaw"] | undefined> = {};
    const host = await useFakeHost(t, place, ({ operation, sandbox, step, phase }) => {
      if (operation !== "snapshot" || phase !== "start") return;
      const row = host.catalog.sandboxes.get(sandbox);
      if (step === "thaw" || step === "hash") pending[step] = row?.pendingThaw;
      if (step === "hash") assert.equal(row?.intent?.kind, "snapshot");
    });
    await using box = await Sandbox.create({ host, cold: true, memoryMib: 96, vcpus: 1 });
    await box.snapshot();
    assert.deepEqual(pending, { thaw: "thaw", hash: "none" });
    await box.pause();
    await box.snapshot();
    assert.equal(pending["hash"], "thaw");
    assert.equal((await box.info()).state, "paused");
  }));
