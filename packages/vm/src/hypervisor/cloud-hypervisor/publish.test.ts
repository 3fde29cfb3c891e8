import assert from "node:assert/strict";
import { mkdir, readFile, readdir, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { testDirectory } from "../../../test/fake-api.ts";
import { stateJson } from "../../../test/snapshot-state.ts";
import { testContext } from "../../../test/vm-context.ts";
import { VirgaError } from "../../errors.ts";
import type { VmContext } from "../port.ts";
import { publishSnapshot } from "./publish.ts";

const MIB = 1024 * 1024;

interface Written {
  readonly zone?: Record<string, unknown>;
  readonly ranges?: number;
  readonly state?: string;
}

/** A VM of 1 MiB whose VMM has just written a snapshot. */
async function snapshotted(context: TestContext, written: Written): Promise<VmContext> {
  const vm = testContext(await testDirectory(context), false, {
    memoryMib: 1,
    disks: [{ id: "rootfs", path: "/images/root", readonly: true }],
  });
  const { host } = vm.layout;
  await mkdir(host.out, { recursive: true });
  const memory =
    written.zone === undefined
      ? { size: MIB }
      : { size: 0, zones: [{ id: "memory", size: MIB, ...written.zone }] };
  const config = {
    memory,
    payload: { kernel: host.kernel, initramfs: host.initramfs },
    disks: [{ id: "disk-rootfs", path: host.disk("rootfs") }],
    vsock: { cid: 3, socket: host.vsock },
    console: { mode: "Tty" },
  };
  await writeFile(join(host.out, "config.json"), JSON.stringify(config));
  await writeFile(join(host.out, "state.json"), written.state ?? stateJson([]));
  if (written.ranges !== undefined) {
    await writeFile(join(host.out, "memory-ranges"), "dense");
    await truncate(join(host.out, "memory-ranges"), written.ranges);
  }
  return vm;
}

async function publishedConfig(vm: VmContext): Promise<{ memory: unknown }> {
  return JSON.parse(await readFile(join(vm.layout.host.out, "config.json"), "utf8"));
}

async function outFiles(vm: VmContext): Promise<string[]> {
  return (await readdir(vm.layout.host.out)).toSorted();
}

test("anonymous memory stays a dense file, and paths become the fixed ones", async (context) => {
  const vm = await snapshotted(context, { ranges: MIB });
  assert.deepEqual(await publishSnapshot(vm, undefined), {
    files: ["config.json", "state.json", "memory-ranges"],
    memory: { form: "ranges", file: "memory-ranges", bytes: MIB },
  });
  assert.deepEqual(await publishedConfig(vm), {
    memory: { size: MIB },
    payload: { kernel: "/run/virga/vm/kernel" },
    disks: [{ id: "disk-rootfs", path: "/run/virga/vm/rootfs.ext4" }],
    vsock: { cid: 3, socket: "/run/virga/vm/v.sock" },
    console: { mode: "Tty" },
  });
  assert.deepEqual(await outFiles(vm), ["config.json", "memory-ranges", "state.json"]);
});

test("a template's memory file is copied sparsely and mapped privately by clones", async (context) => {
  const vm = await snapshotted(context, {
    zone: { file: "/run/virga/vm/memory", shared: true },
  });
  await writeFile(vm.layout.host.memory, "guest memory");
  await truncate(vm.layout.host.memory, MIB);
  assert.deepEqual(await publishSnapshot(vm, undefined), {
    files: ["config.json", "state.json", "memory"],
    memory: { form: "file", file: "memory", bytes: MIB },
  });
  const { memory } = await publishedConfig(vm);
  const zone = { id: "memory", size: MIB, file: "/run/virga/vm/snapshot/memory", shared: false };
  assert.deepEqual(memory, { size: 0, zones: [zone] });
  const copy = join(vm.layout.host.out, "memory");
  assert.equal((await readFile(copy, "utf8")).slice(0, 12), "guest memory");
  const { size, blocks } = await stat(copy);
  assert.equal(size, MIB);
  assert.ok(blocks * 512 < MIB);
});

test("a clone's dense memory becomes the file its own clones map", async (context) => {
  const vm = await snapshotted(context, {
    zone: { file: "/run/virga/vm/snapshot/memory", shared: false },
    ranges: MIB,
    state: stateJson([[0, MIB]]),
  });
  assert.deepEqual(await publishSnapshot(vm, undefined), {
    files: ["config.json", "state.json", "memory"],
    memory: { form: "file", file: "memory", bytes: MIB },
  });
  assert.deepEqual(await outFiles(vm), ["config.json", "memory", "state.json"]);
  assert.equal(
    await readFile(join(vm.layout.host.out, "state.json"), "utf8"),
    stateJson([], [[0, MIB]]),
  );
});

test("where the table is not as expected it stays dense, to be copied", async (context) => {
  const vm = await snapshotted(context, {
    zone: { file: "/run/virga/vm/snapshot/memory", shared: false },
    ranges: MIB,
    state: stateJson([[0, MIB / 2]]),
  });
  const { memory } = await publishSnapshot(vm, undefined);
  assert.deepEqual(memory, { form: "ranges", file: "memory-ranges", bytes: MIB });
  assert.deepEqual((await publishedConfig(vm)).memory, {
    size: 0,
    zones: [{ id: "memory", size: MIB, shared: false }],
  });
});

test("memory of another size than the guest's is no snapshot", async (context) => {
  const vm = await snapshotted(context, { ranges: MIB - 4096 });
  await assert.rejects(
    publishSnapshot(vm, undefined),
    (error) => error instanceof VirgaError && error.code === "SNAPSHOT_FAILED",
  );
});

test("a link in place of a file is not followed", async (context) => {
  const vm = await snapshotted(context, { ranges: MIB });
  const { out } = vm.layout.host;
  const secret = join(vm.layout.directory, "secret");
  await writeFile(secret, JSON.stringify({ memory: { size: MIB }, payload: {} }));

  await rm(join(out, "config.json"));
  await symlink(secret, join(out, "config.json"));
  await assert.rejects(publishSnapshot(vm, undefined), { code: "ELOOP" });
});

test("an aborted copy leaves no memory file", async (context) => {
  const vm = await snapshotted(context, { zone: { file: "/m", shared: true } });
  await writeFile(vm.layout.host.memory, "");
  await truncate(vm.layout.host.memory, MIB);
  await assert.rejects(
    publishSnapshot(vm, AbortSignal.abort()),
    (error) => error instanceof VirgaError && error.code === "ABORTED",
  );
  assert.deepEqual(await outFiles(vm), ["config.json", "state.json"]);
});
