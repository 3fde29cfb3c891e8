import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveSandboxOptions } from "./sandbox-options.ts";

test("everything has a default", () => {
  assert.deepEqual(resolveSandboxOptions({}), {
    image: "busybox",
    diskMib: 10_240,
    hypervisor: "auto",
    vcpus: 1,
    memoryMib: 512,
    network: "none",
    balloon: false,
    warm: undefined,
    cold: false,
  });
});

test("all problems are named at once", () => {
  const wrong = { hypervisor: "xen", vcpus: 0, memoryMib: 2 ** 53 } as unknown as Parameters<
    typeof resolveSandboxOptions
  >[0];
  assert.throws(() => resolveSandboxOptions(wrong), {
    code: "INVALID_CONFIG",
    message:
      /hypervisor is "xen".*vcpus is 0.*1 to \d+ on this machine.*memoryMib is 9007199254740992/,
  });
  const network = "host" as "none";
  assert.throws(() => resolveSandboxOptions({ network }), {
    code: "INVALID_CONFIG",
    message: /network is "host": it is none or internet/,
  });
  for (const memoryMib of [0, -1, 1.5, Number.NaN, 95]) {
    assert.throws(() => resolveSandboxOptions({ memoryMib }), { code: "INVALID_CONFIG" });
  }
});

test("an option that there is not is refused by name", () => {
  const misspelt = { memory: 512, vcpu: 2 } as Parameters<typeof resolveSandboxOptions>[0];
  assert.throws(() => resolveSandboxOptions(misspelt), {
    code: "INVALID_CONFIG",
    message:
      /no option "memory", did you mean "memoryMib"\?; there is no option "vcpu", did you mean "vcpus"/,
  });
});

test("a disk is for images that have one, and of a size that can be", () => {
  assert.equal(resolveSandboxOptions({ image: "tools", diskMib: 64 }).diskMib, 64);
  assert.throws(() => resolveSandboxOptions({ diskMib: 64 }), {
    code: "INVALID_CONFIG",
    message: /the image busybox has no disk/,
  });
  for (const diskMib of [63, 64.5, 2 ** 24]) {
    assert.throws(() => resolveSandboxOptions({ image: "tools", diskMib }), {
      code: "INVALID_CONFIG",
      message: /diskMib is .*: it is a whole number from 64 to 16777215/,
    });
  }
});
