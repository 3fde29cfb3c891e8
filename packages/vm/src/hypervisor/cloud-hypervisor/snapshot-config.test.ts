import assert from "node:assert/strict";
import { test } from "node:test";
import { vmLayout } from "../../directory.ts";
import { VirgaError } from "../../errors.ts";
import { diskPaths, memoryFileOf, parseSnapshotConfig, retargetConfig } from "./snapshot-config.ts";

const paths = vmLayout("/home/user/vm", "api.sock", false).inside;
const disks = [{ id: "rootfs" }, { id: "upper" }];

/** As Cloud Hypervisor writes it, shortened. */
function written(memory: unknown): string {
  return JSON.stringify({
    cpus: { boot_vcpus: 1 },
    memory,
    payload: { kernel: "/old/kernel", cmdline: "quiet", initramfs: "/old/initramfs" },
    disks: [
      { id: "disk-rootfs", path: "/old/rootfs.ext4", readonly: true },
      { id: "disk-upper", path: "/old/disks/upper", readonly: false },
    ],
    net: [{ id: "net", tap: "tap0", mac: "02:00:00:00:00:01", host_mac: "02:fc:00:00:00:01" }],
    vsock: { cid: 3, id: "vsock", socket: "/old/v.sock" },
    serial: { mode: "Null" },
    console: { mode: "File", file: "/old/console.log", id: "__console" },
    landlock_enable: false,
  });
}

const zone = { id: "memory", size: 1024, hugepages: false };

test("every path is moved, everything else stays", () => {
  const config = parseSnapshotConfig(written({ size: 1024, thp: true }));
  const moved = retargetConfig(config, paths, diskPaths(disks, paths), undefined);
  assert.deepEqual(moved, {
    cpus: { boot_vcpus: 1 },
    memory: { size: 1024, thp: true },
    payload: { kernel: "/home/user/vm/run/kernel", cmdline: "quiet" },
    disks: [
      { id: "disk-rootfs", path: "/home/user/vm/run/rootfs.ext4", readonly: true },
      { id: "disk-upper", path: "/home/user/vm/run/disks/upper", readonly: false },
    ],
    net: [{ id: "net", tap: "tap0", mac: "02:00:00:00:00:01", host_mac: "02:fc:00:00:00:01" }],
    vsock: { cid: 3, id: "vsock", socket: "/home/user/vm/run/v.sock" },
    serial: { mode: "Null" },
    console: { mode: "Tty", id: "__console" },
    landlock_enable: false,
  });
  assert.doesNotMatch(JSON.stringify(moved), /\/old\//u);
});

test("a console that is off stays off", () => {
  const config = { ...parseSnapshotConfig(written({ size: 1 })), console: { mode: "Off" } };
  const moved = retargetConfig(config, paths, diskPaths(disks, paths), undefined);
  assert.deepEqual(moved["console"], { mode: "Off" });
});

test("memory is given a file, another one, or none", () => {
  const config = parseSnapshotConfig(
    written({ size: 0, zones: [{ ...zone, file: "/old/memory", shared: true }] }),
  );
  assert.deepEqual(memoryFileOf(config), { file: "/old/memory", shared: true });
  const memory = { file: "/new/memory", shared: false };
  const mapped = retargetConfig(config, paths, diskPaths(disks, paths), memory);
  assert.deepEqual(mapped["memory"], { size: 0, zones: [{ ...zone, ...memory }] });
  const plain = retargetConfig(config, paths, diskPaths(disks, paths), undefined);
  assert.deepEqual(plain["memory"], { size: 0, zones: [{ ...zone, shared: false }] });
  assert.equal(memoryFileOf(plain), undefined);
  assert.equal(memoryFileOf(parseSnapshotConfig(written({ size: 1 }))), undefined);
});

test("what is not as expected is refused", () => {
  const good: Record<string, unknown> = { ...parseSnapshotConfig(written({ size: 1 })) };
  const memory = { file: "/new/memory", shared: false };
  const bad: [string, () => unknown][] = [
    ["no JSON", () => parseSnapshotConfig("{")],
    ["no object", () => parseSnapshotConfig("[]")],
    ["a number that would be rounded", () => parseSnapshotConfig('{"size":18446744073709551615}')],
    ["two zones", () => memoryFileOf({ ...good, memory: { zones: [zone, zone] } })],
    ["no memory", () => memoryFileOf({})],
    [
      "a disk of nobody",
      () => retargetConfig(good, paths, diskPaths([{ id: "rootfs" }], paths), undefined),
    ],
    [
      "a disk without id",
      () => retargetConfig({ ...good, disks: [{}] }, paths, diskPaths(disks, paths), undefined),
    ],
    [
      "no payload",
      () => retargetConfig({ ...good, payload: null }, paths, diskPaths(disks, paths), undefined),
    ],
    ["no zone for a file", () => retargetConfig(good, paths, diskPaths(disks, paths), memory)],
  ];
  for (const [name, run] of bad) {
    assert.throws(
      run,
      (error) => error instanceof VirgaError && error.code === "SNAPSHOT_INVALID",
      name,
    );
  }
});
