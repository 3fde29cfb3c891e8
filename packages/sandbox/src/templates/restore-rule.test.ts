import assert from "node:assert/strict";
import { test } from "node:test";
import { decideRestore } from "./restore-rule.ts";

const old = "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)";

test("the rule, row by row", () => {
  const rows = [
    ["cloud-hypervisor", "v53.0", false, false, "file", "shared"],
    ["cloud-hypervisor", "v53.0", true, true, "anonymous", "copy"],
    ["qemu", "8.2.0", true, false, "file", "shared"],
    ["qemu", "10.0.2", false, false, "file", "shared"],
    ["qemu", "8.2.0", false, true, "file", "copy"],
    ["qemu", "8.1.5", true, false, "file", "copy"],
    ["qemu", old, true, false, "file", "copy"],
    ["qemu", old, false, false, "file", "shared"],
    ["qemu", old, false, true, "file", "copy"],
  ] as const;
  for (const [hypervisor, hypervisorVersion, jailed, balloon, memoryForm, mode] of rows) {
    const decision = decideRestore({ hypervisor, hypervisorVersion, jailed, balloon });
    const { reason, ...rest } = decision;
    assert.deepEqual(rest, { memoryForm, mode }, `${hypervisor} ${hypervisorVersion}`);
    assert.notEqual(reason, "");
  }
});

test("a shared file that the hypervisor may write is said to be so", () => {
  const { reason } = decideRestore({
    hypervisor: "qemu",
    hypervisorVersion: old,
    jailed: false,
    balloon: false,
  });
  assert.match(reason, /protected against accidents only/);
});
