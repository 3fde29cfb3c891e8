import assert from "node:assert/strict";
import { test } from "node:test";
import { testContext } from "../../../test/vm-context.ts";
import { VirgaError } from "../../errors.ts";
import { vmConfigJson } from "./vm-config-json.ts";

const directory = "/var/lib/virga/test";
const clock = process.arch === "x64" ? " clocksource=kvm-clock" : "";

test("a whole VM, every path inside its mount namespace", () => {
  const context = testContext(directory, true, {
    initramfs: "/images/initrd",
    vcpus: 2,
    memoryMib: 256,
    balloon: true,
    disks: [
      { id: "rootfs", path: "/images/root.ext4", readonly: true },
      { id: "upper", path: "/data/upper.ext4", readonly: false },
    ],
    network: { tap: "tap0", mac: "02:00:00:00:00:01" },
    kernelArguments: ["quiet"],
  });
  const path = "/run/virga/vm";
  assert.deepEqual(vmConfigJson(context), {
    cpus: { boot_vcpus: 2, max_vcpus: 2, nested: false, core_scheduling: "Vm" },
    memory: { size: 268_435_456 },
    payload: {
      kernel: `${path}/kernel`,
      initramfs: `${path}/initramfs`,
      cmdline: `console=hvc0 panic=-1${clock} quiet`,
    },
    disks: [
      {
        id: "disk-rootfs",
        path: `${path}/rootfs.ext4`,
        readonly: true,
        serial: "rootfs",
        image_type: "Raw",
        backing_files: false,
      },
      {
        id: "disk-upper",
        path: `${path}/disks/upper`,
        readonly: false,
        serial: "upper",
        image_type: "Raw",
        backing_files: false,
      },
    ],
    net: [{ id: "net", tap: "tap0", mac: "02:00:00:00:00:01" }],
    rng: { src: "/dev/urandom" },
    balloon: { size: 0, deflate_on_oom: true },
    vsock: { id: "vsock", cid: 3, socket: `${path}/v.sock` },
    serial: { mode: "Null" },
    console: { mode: "Tty" },
    pvpanic: true,
  });
});

test("the least VM, without a mount namespace", () => {
  const context = testContext(directory, false, { guestChannel: false, console: false });
  assert.deepEqual(vmConfigJson(context), {
    cpus: { boot_vcpus: 1, max_vcpus: 1, nested: false, core_scheduling: "Vm" },
    memory: { size: 134_217_728 },
    payload: { kernel: `${directory}/run/kernel`, cmdline: `panic=-1${clock}` },
    disks: [],
    rng: { src: "/dev/urandom" },
    serial: { mode: "Null" },
    console: { mode: "Off" },
    pvpanic: true,
  });
});

test("memory on a file of the VM's own is mapped shared", () => {
  const { memory } = vmConfigJson(testContext(directory, true, { memoryForm: "file" }));
  assert.deepEqual(memory, {
    size: 0,
    zones: [{ id: "memory", size: 134_217_728, file: "/run/virga/vm/memory", shared: true }],
  });
});

test("what Cloud Hypervisor could not boot or read is refused", () => {
  const disks = Array.from({ length: 1000 }, (_, index) => ({
    id: `d${index}`,
    path: "/images/disk",
    readonly: true,
  }));
  for (const [changes, message] of [
    [{ kernel: undefined }, /kernel is needed/],
    [{ disks }, /reads at most 51200/],
  ] as const) {
    assert.throws(
      () => vmConfigJson(testContext(directory, true, changes)),
      (error) => {
        assert.ok(error instanceof VirgaError);
        assert.equal(error.code, "INVALID_CONFIG");
        assert.match(error.message, message);
        return true;
      },
    );
  }
});
