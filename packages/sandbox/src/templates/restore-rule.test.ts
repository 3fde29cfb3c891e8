import assert from "node:assert/strict";
import { test } from "node:test";
import { decideRestore } from "./restore-rule.ts";

test("the rule, row by row", () => {
  const rows = [
    ["cloud-hypervisor", false, false, false, "file", "shared"],
    ["cloud-hypervisor", false, true, true, "anonymous", "copy"],
    ["qemu", true, true, false, "file", "shared"],
    ["qemu", true, false, false, "file", "shared"],
    ["qemu", true, false, true, "file", "copy"],
    ["qemu", false, true, false, "file", "copy"],
    ["qemu", false, false, false, "file", "shared"],
    ["qemu", false, false, true, "file", "copy"],
  ] as const;
  for (const [hypervisor, mapsReadOnly, jailed, balloon, memoryForm, mode] of rows) {
    const facts = { hypervisor, mapsReadOnly, jailed, balloon };
    const { reason, ...rest } = decideRestore(facts);
    assert.deepEqual(rest, { memoryForm, mode }, JSON.stringify(facts));
    assert.notEqual(reason, "");
  }
});

test("a shared file that the hypervisor may write is said to be so", () => {
  const { reason } = decideRestore({
    hypervisor: "qemu",
    mapsReadOnly: false,
    jailed: false,
    balloon: false,
  });
  assert.match(reason, /protected against accidents only/);
});

test("a snapshot of a sandbox is shared where its memory can be mapped, and copied where not", () => {
  const facts = { mapsReadOnly: true, jailed: false, balloon: false } as const;
  const modeOf = (
    hypervisor: "cloud-hypervisor" | "qemu",
    snapshotForm: "file" | "ranges",
  ): string => decideRestore({ ...facts, hypervisor, snapshotForm }).mode;
  assert.equal(modeOf("cloud-hypervisor", "file"), "shared");
  assert.equal(modeOf("qemu", "file"), "shared");
  const dense = { ...facts, hypervisor: "cloud-hypervisor", snapshotForm: "ranges" } as const;
  const { mode, memoryForm, reason } = decideRestore(dense);
  assert.deepEqual([mode, memoryForm], ["copy", "anonymous"]);
  assert.match(reason, /no file that clones can map/);
});
