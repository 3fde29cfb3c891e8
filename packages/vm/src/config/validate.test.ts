import assert from "node:assert/strict";
import test from "node:test";
import { validateConfig } from "./validate.ts";
import type { VmConfig } from "./vm-config.ts";

const good: VmConfig = { sandboxId: "a1", kernel: "/boot/vmlinuz" };

function paths(change: Record<string, unknown>, purpose: "boot" | "restore" = "boot"): string[] {
  return validateConfig({ ...good, ...change } as VmConfig, purpose).map((problem) => problem.path);
}

test("a minimal configuration is valid", () => {
  assert.deepEqual(paths({}), []);
});

test("ids that would escape a path or a host name are refused", () => {
  for (const sandboxId of [
    "",
    "a/b",
    "..",
    "a\0",
    "a\n",
    "-a",
    "A",
    "ä",
    "a".repeat(64),
    "a".repeat(300),
    7,
    undefined,
  ]) {
    assert.deepEqual(paths({ sandboxId }), ["sandboxId"], JSON.stringify(sandboxId));
  }
  assert.deepEqual(paths({ sandboxId: "a".repeat(63) }), []);
});

test("memory and vcpus are whole numbers within limits", () => {
  for (const memoryMib of [0, -1, 2 ** 53, 512.5, Number.NaN, "512"])
    assert.deepEqual(paths({ memoryMib }), ["memoryMib"], String(memoryMib));
  for (const vcpus of [0, 10_000, -1, 1.5, "2"])
    assert.deepEqual(paths({ vcpus }), ["vcpus"], String(vcpus));
});

test("every problem is reported at once, with its value and what is allowed", () => {
  const problems = validateConfig(
    { sandboxId: "A", vcpus: 0, kernel: "relative", disks: [{ id: "d", path: "x" }] },
    "boot",
  );
  assert.deepEqual(
    problems.map(({ path, value }) => [path, value]),
    [
      ["sandboxId", "A"],
      ["kernel", "relative"],
      ["vcpus", 0],
      ["disks[0].path", "x"],
    ],
  );
  assert.ok(problems.every(({ allowed }) => allowed.length > 3));
});

test("unknown fields are refused, not ignored", () => {
  assert.deepEqual(paths({ memory: 512 }), ["memory"]);
  assert.deepEqual(paths({ timeouts: { callMS: 5 } }), ["timeouts.callMS"]);
  assert.deepEqual(paths({ rootfs: { path: "/r", readOnly: true } }), ["rootfs.readOnly"]);
  assert.deepEqual(paths({ disks: [{ id: "d", path: "/d", size: 1 }] }), ["disks[0].size"]);
  const network = { mac: "02:00:00:00:00:01", address: "10.0.0.2" };
  assert.deepEqual(paths({ network, networkNamespace: "ns" }), ["network.address"]);
});

test("a kernel is needed to boot, not to restore", () => {
  assert.deepEqual(paths({ kernel: undefined }), ["kernel"]);
  assert.deepEqual(paths({ kernel: undefined }, "restore"), []);
});

test("disk ids are unique and leave the root disk's alone", () => {
  const disk = { id: "data", path: "/d" };
  assert.deepEqual(paths({ disks: [disk, disk] }), ["disks[1].id"]);
  assert.deepEqual(paths({ rootfs: { path: "/r" }, disks: [{ id: "rootfs", path: "/d" }] }), [
    "disks[0].id",
  ]);
});

test("a network needs a namespace, a unicast MAC and addresses", () => {
  const network = { mac: "02:00:00:00:00:01" };
  assert.deepEqual(paths({ network }), ["networkNamespace"]);
  assert.deepEqual(paths({ network, networkNamespace: "ns" }), []);
  assert.deepEqual(paths({ network: { mac: "01:00:00:00:00:01" }, networkNamespace: "ns" }), [
    "network.mac",
  ]);
  assert.deepEqual(
    paths({
      network: { ...network, guestAddress: "10.0.0.256", tap: "a/b" },
      networkNamespace: "ns",
    }),
    ["network.tap", "network.guestAddress"],
  );
  assert.deepEqual(paths({ networkNamespace: "../x" }), ["networkNamespace"]);
});

test("kernel arguments are single printable words", () => {
  assert.deepEqual(paths({ kernelArguments: ["quiet", "a b", "x\n"] }), [
    "kernelArguments[1]",
    "kernelArguments[2]",
  ]);
});

test("the control socket has a plain name that no other file of the VM has", () => {
  const taken = ["v.sock", "v.sock_52", "qmp0.sock", "in.sock", "disks", "out", "vmm.log"];
  for (const socketPath of ["", ".", "..", "a..b", ".x", "a/b", "a".repeat(33), 7, ...taken])
    assert.deepEqual(paths({ socketPath }), ["socketPath"], JSON.stringify(socketPath));
  for (const socketPath of ["api.sock", "a", "a".repeat(32)])
    assert.deepEqual(paths({ socketPath }), [], socketPath);
});
