import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { isVirgaError } from "../errors.ts";
import { applyDefaults } from "./defaults.ts";
import { configError } from "./problem.ts";
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
  const clone = { kernel: undefined, snapshotDirectory: "/s" };
  assert.deepEqual(paths({ kernel: undefined }), ["kernel"]);
  assert.deepEqual(paths(clone, "restore"), []);
  assert.deepEqual(paths({}, "restore"), ["snapshotDirectory"]);
  assert.deepEqual(paths({ snapshotDirectory: "s" }, "restore"), ["snapshotDirectory"]);
  assert.deepEqual(paths({ snapshotDirectory: "/s" }), ["snapshotDirectory"], "it is not ignored");
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

test("a network on a socket needs no namespace, and has no TAP device", () => {
  const network = { mac: "02:00:00:00:00:01", socket: "/run/net.sock" };
  assert.deepEqual(paths({ network }), []);
  assert.deepEqual(paths({ network: { ...network, tap: "tap0" } }), ["network.tap"]);
  assert.deepEqual(paths({ network: { ...network, socket: "net.sock" } }), ["network.socket"]);
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

test("what is no object or no list is one problem, at its own path", () => {
  const disk = { id: "d", path: "/d" };
  const cases: [Record<string, unknown>, string][] = [
    [{ disks: "x" }, "disks"],
    [{ disks: {} }, "disks"],
    [{ disks: null }, "disks"],
    [{ disks: [disk, null] }, "disks[1]"],
    [{ disks: [[disk]] }, "disks[0]"],
    [{ disks: Array.from({ length: 17 }, (_, n) => ({ ...disk, id: `d${n}` })) }, "disks.length"],
    [{ kernelArguments: "quiet" }, "kernelArguments"],
    [{ kernelArguments: null }, "kernelArguments"],
    [{ kernelArguments: [null] }, "kernelArguments[0]"],
    [{ networkNamespace: 5 }, "networkNamespace"],
    [{ networkNamespace: null }, "networkNamespace"],
    [{ network: null }, "network"],
    [{ network: "x" }, "network"],
    [{ network: [] }, "network"],
    [{ rootfs: null }, "rootfs"],
    [{ rootfs: "/x" }, "rootfs"],
    [{ timeouts: null }, "timeouts"],
    [{ timeouts: "5s" }, "timeouts"],
    [{ timeouts: 5 }, "timeouts"],
  ];
  for (const [change, path] of cases)
    assert.deepEqual(paths(change), [path], JSON.stringify(change));
});

test("a configuration that is no object is one problem", () => {
  for (const config of [undefined, null, "vm", 5, true, [], [good]]) {
    const problems = validateConfig(config, "boot");
    assert.deepEqual(
      problems.map(({ path, value }) => [path, value]),
      [["config", config]],
    );
  }
});

/** A good configuration with every field. */
const full = {
  ...good,
  templateId: "t",
  hypervisor: "qemu",
  binary: "/bin/vmm",
  initramfs: "/i",
  rootfs: { path: "/r", readonly: true },
  disks: [{ id: "d", path: "/d", readonly: false }],
  vcpus: 1,
  memoryMib: 64,
  memoryForm: "file",
  networkNamespace: "ns",
  network: {
    tap: "tap0",
    mac: "02:00:00:00:00:01",
    guestAddress: "10.0.0.2",
    gateway: "10.0.0.1",
    mask: "255.0.0.0",
  },
  kernelArguments: ["quiet"],
  initPath: "/init",
  socketPath: "s",
  vmDirectory: "/v",
  guestChannel: true,
  balloon: false,
  console: true,
  restoreMode: "copy",
  timeouts: {
    launchMs: 1,
    callMs: 1,
    longCallMs: 1,
    shutdownMs: 1,
    terminateMs: 1,
    lockMs: 1,
  },
};

/** Every place of a value: of itself, and of what is in it. */
function placesOf(value: unknown, place: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [place];
  return [
    place,
    ...Object.entries(value).flatMap(([key, part]) => placesOf(part, [...place, key])),
  ];
}

function put(value: unknown, [key, ...rest]: readonly string[], given: unknown): unknown {
  if (key === undefined) return given;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = put(copy[key], rest, given);
  return copy;
}

test("no JSON value at any place of a configuration gives anything but problems", () => {
  assert.deepEqual(validateConfig(full, "boot"), []);
  const clone = { ...full, snapshotDirectory: "/s" };
  assert.deepEqual(validateConfig(clone, "restore"), []);
  const change = fc.tuple(fc.constantFrom(...placesOf(clone)), fc.jsonValue());
  fc.assert(
    fc.property(change, fc.constantFrom("boot", "restore"), ([place, given], purpose) => {
      const config = put(purpose === "boot" ? full : clone, place, given);
      const problems = validateConfig(config, purpose);
      if (problems.length > 0) {
        const error = configError(problems);
        assert.ok(isVirgaError(error) && error.code === "INVALID_CONFIG");
        assert.ok(problems.every(({ allowed }) => allowed.length > 3));
        return;
      }
      const resolved = applyDefaults(config as VmConfig, { directory: "/vms", isolated: true });
      assert.equal(resolved.sandboxId, (config as VmConfig).sandboxId);
    }),
    { numRuns: 3000 },
  );
});

test("what JSON cannot say is shown all the same", () => {
  const circular: unknown[] = [];
  circular.push(circular);
  for (const vcpus of [5n, circular, Symbol("x"), () => 5]) {
    const error = configError(validateConfig({ ...good, vcpus }, "boot"));
    assert.match(error.message, /^Invalid VM configuration: vcpus is .+, allowed is a whole/);
  }
});
