import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { applyDefaults } from "../../config/defaults.ts";
import type { VmConfig } from "../../config/vm-config.ts";
import { vmLayout } from "../../directory.ts";
import { isVirgaError } from "../../errors.ts";
import type { SnapshotManifest } from "../../snapshot/manifest.ts";
import type { HypervisorBuild, SnapshotSource, VmContext } from "../port.ts";
import { qemuDriver } from "./driver.ts";

const MIB = 1 << 20;
const UUID = "00000000-0000-4000-8000-000000000001";

interface Wish {
  readonly directory?: string;
  readonly mapsReadOnly?: boolean;
  readonly accelerator?: HypervisorBuild["accelerator"];
  readonly isolated?: boolean;
  readonly config?: Partial<VmConfig>;
}

function contextOf(wish: Wish = {}): VmContext {
  const { directory = "/srv/vm,1", mapsReadOnly = false, accelerator = "tcg" } = wish;
  const config = applyDefaults(
    { sandboxId: "a1", hypervisor: "qemu", binary: "/q", kernel: "/k", ...wish.config },
    { directory, isolated: wish.isolated ?? false },
  );
  return {
    config,
    layout: vmLayout(directory, "api.sock", wish.isolated ?? false),
    build: {
      name: "qemu",
      binary: "/q",
      version: "7.2.22",
      numbers: [7, 2, 22],
      mapsReadOnly,
      accelerator,
    },
    uuid: UUID,
  };
}

function sourceOf(mode: SnapshotSource["mode"], directory = "/snap"): SnapshotSource {
  const memory = { form: "file", file: "memory", bytes: 512 * MIB } as const;
  return { mode, directory, manifest: { memory } as SnapshotManifest };
}

/** The values of an option, in order. */
function values(argv: readonly string[], option: string): string[] {
  return argv.filter((_, index) => argv[index - 1] === option);
}

const driver = qemuDriver();

test("a boot has its kernel, waits for cont, and keeps the guest away from the host", () => {
  const context = contextOf({ isolated: true, config: { initramfs: "/i", vcpus: 3 } });
  const { argv, staleSockets, snapshotWritable } = driver.planBoot(context);
  assert.equal(argv[0], "/q");
  for (const flag of ["-nodefaults", "-no-user-config", "-no-reboot", "-S"]) {
    assert.ok(argv.includes(flag), flag);
  }
  assert.deepEqual(values(argv, "-sandbox"), [
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
  ]);
  assert.deepEqual(values(argv, "-kernel"), ["/run/virga/vm/kernel"]);
  assert.deepEqual(values(argv, "-initrd"), ["/run/virga/vm/initramfs"]);
  assert.deepEqual(values(argv, "-smp"), ["3"]);
  assert.deepEqual(values(argv, "-m"), ["512M"]);
  assert.deepEqual(values(argv, "-uuid"), [UUID]);
  const [machine] = values(argv, "-M");
  assert.match(machine ?? "", /^microvm,pcie=on,.*memory-backend=ram$/);
  const [words = ""] = values(argv, "-append");
  assert.match(words, /^console=ttyS0 panic=-1 virga\.ports=16 cryptomgr\.notests=1/);
  assert.ok(
    values(argv, "-object").includes(
      "memory-backend-file,id=ram,size=512M,mem-path=/run/virga/vm/memory,share=on",
    ),
  );
  assert.equal(snapshotWritable, false);
  assert.equal(staleSockets.length, 19);
  assert.ok(staleSockets.every((path) => path.startsWith("/srv/vm,1/run/")));
});

test("the accelerator decides on the processor; emulation alone needs the counter's rate", () => {
  const emulated = driver.planBoot(contextOf()).argv;
  assert.deepEqual(values(emulated, "-accel"), ["tcg,thread=multi,tb-size=256"]);
  assert.deepEqual(values(emulated, "-cpu"), ["max,-erms,-fsrm"]);
  const { argv } = driver.planBoot(contextOf({ accelerator: "kvm" }));
  assert.deepEqual(values(argv, "-accel"), ["kvm"]);
  assert.deepEqual(values(argv, "-cpu"), ["host"]);
  assert.ok(!values(argv, "-append")[0]?.includes("tsc_early_khz"));
});

test("paths with commas stay one value", () => {
  const { argv } = driver.planBoot(contextOf());
  const chardevs = values(argv, "-chardev");
  assert.equal(chardevs[0], "socket,id=qmp0,path=/srv/vm,,1/run/qmp0.sock,server=on,wait=off");
  assert.ok(chardevs.includes("file,id=console,path=/srv/vm,,1/run/console.log,append=on"));
});

test("the devices are those of the configuration", () => {
  const { argv } = driver.planBoot(
    contextOf({
      config: {
        rootfs: { path: "/images/a", readonly: true },
        disks: [{ id: "upper", path: "/disks/b" }],
        network: { mac: "52:54:00:00:00:02" },
        balloon: true,
      },
    }),
  );
  assert.deepEqual(
    values(argv, "-blockdev").map((json) => JSON.parse(json) as unknown),
    [
      {
        driver: "raw",
        "node-name": "disk-rootfs",
        "read-only": true,
        discard: "unmap",
        file: { driver: "file", filename: "/srv/vm,1/run/rootfs.ext4", locking: "on" },
      },
      {
        driver: "raw",
        "node-name": "disk-upper",
        "read-only": false,
        discard: "unmap",
        file: { driver: "file", filename: "/srv/vm,1/run/disks/upper", locking: "on" },
      },
    ],
  );
  assert.deepEqual(values(argv, "-netdev"), [
    "tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=off",
  ]);
  const devices = values(argv, "-device");
  assert.equal(devices.filter((device) => device.startsWith("virtserialport")).length, 16);
  assert.ok(devices.includes("virtio-blk-pci,drive=disk-upper,serial=upper"));
  assert.ok(
    devices.includes(
      "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:02,guest_announce=off,romfile=",
    ),
  );
  assert.ok(devices.some((device) => device.startsWith("virtio-balloon-pci")));
  const bare = driver.planBoot(contextOf({ config: { guestChannel: false, console: false } })).argv;
  assert.deepEqual(values(bare, "-device"), ["pvpanic-pci", "virtio-rng-pci,rng=rng"]);
  assert.deepEqual(values(bare, "-serial"), []);
  assert.ok(!values(bare, "-append")[0]?.includes("virga.ports"));
});

test("a card on a socket is met in the VM's directory, in a clone as in its template", () => {
  const network = { mac: "52:54:00:00:00:02", socket: "/elsewhere/a.sock" };
  const context = contextOf({ config: { network } });
  const netdev = "stream,id=net0,server=off,addr.type=unix,addr.path=/srv/vm,,1/run/net.sock";
  const boot = driver.planBoot(context).argv;
  assert.deepEqual(values(boot, "-netdev"), [netdev]);
  assert.ok(
    values(boot, "-device").includes(
      "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:02,guest_announce=off,romfile=",
    ),
  );
  assert.deepEqual(values(driver.planRestore(context, sourceOf("copy")).argv, "-netdev"), [netdev]);
});

test("a restore makes the same machine without a kernel", () => {
  const context = contextOf({ config: { disks: [{ id: "upper", path: "/disks/b" }] } });
  const boot = driver.planBoot(context).argv;
  const { argv } = driver.planRestore(context, sourceOf("copy"));
  for (const option of ["-device", "-blockdev", "-chardev", "-m", "-smp", "-cpu", "-object"]) {
    assert.deepEqual(values(argv, option), values(boot, option), option);
  }
  assert.deepEqual(values(argv, "-kernel"), []);
  assert.deepEqual(values(argv, "-incoming"), ["defer"]);
});

test("a shared clone maps the snapshot's file privately, read-only where QEMU can", () => {
  const ram = (argv: readonly string[]): string => values(argv, "-object")[0] ?? "";
  const old = driver.planRestore(contextOf(), sourceOf("shared"));
  assert.equal(
    ram(old.argv),
    "memory-backend-file,id=ram,size=512M,mem-path=/srv/vm,,1/run/snapshot/memory,share=off",
  );
  assert.equal(old.snapshotWritable, true);
  const current = driver.planRestore(contextOf({ mapsReadOnly: true }), sourceOf("shared"));
  assert.match(ram(current.argv), /share=off,readonly=on,rom=off$/);
  assert.equal(current.snapshotWritable, false);
});

test("what QEMU cannot do is refused by name before anything is made", () => {
  const refused = (wish: Wish, source: SnapshotSource | undefined, words: RegExp): void => {
    assert.throws(
      () => driver.check(contextOf(wish), source),
      (error) => isVirgaError(error) && words.test(error.message),
    );
  };
  refused({}, sourceOf("on-demand"), /on-demand/);
  refused({ config: { balloon: true } }, sourceOf("shared"), /balloon/);
  const ranges = { form: "ranges", file: "memory-ranges", bytes: 1 } as const;
  refused({}, { ...sourceOf("copy"), manifest: { memory: ranges } as SnapshotManifest }, /memory/);
  refused({ config: { kernelArguments: ["x".repeat(3000)] } }, undefined, /command line/);
  driver.check(contextOf(), undefined);
  driver.check(contextOf({ config: { balloon: true } }), sourceOf("copy"));
  driver.check(contextOf(), sourceOf("shared"));
});

test("each VM but a shared clone has a memory file of its own", async (context) => {
  const root = await useTemporaryDirectory(context);
  const snapshot = join(root, "snap");
  await mkdir(snapshot);
  await writeFile(join(snapshot, "memory"), "the template's");
  const made = async (name: string, source?: SnapshotSource): Promise<string> => {
    const vm = contextOf({ directory: join(root, name) });
    await mkdir(vm.layout.host.directory, { recursive: true });
    await driver.prepareFiles(vm, source, undefined);
    return vm.layout.host.memory;
  };
  const booted = await stat(await made("booted"));
  assert.equal(booted.size, 512 * MIB);
  assert.equal(booted.blocks, 0);
  assert.equal(booted.mode & 0o777, 0o600);
  const copy = await made("copy", sourceOf("copy", snapshot));
  assert.equal(await readFile(copy, "utf8"), "the template's");
  await assert.rejects(stat(await made("shared", sourceOf("shared", snapshot))), /ENOENT/);
});

test("capabilities are data", () => {
  assert.deepEqual(driver.capabilities(contextOf().build), {
    restoreModes: ["copy", "shared"],
    memoryForms: ["anonymous", "file"],
    balloon: true,
    guestConnections: 16,
  });
});
