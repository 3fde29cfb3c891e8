import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveSandboxOptions } from "./sandbox-options.ts";

test("everything has a default", () => {
  assert.deepEqual(resolveSandboxOptions({}), {
    image: "busybox",
    hypervisor: "auto",
    vcpus: 1,
    memoryMib: 512,
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

test("an unknown image is refused by name", () => {
  assert.throws(() => resolveSandboxOptions({ image: "debian" }), {
    code: "NOT_FOUND",
    message: /"debian": there is busybox/,
  });
});
