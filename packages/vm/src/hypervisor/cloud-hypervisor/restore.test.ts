import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, readlink, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { testDirectory } from "../../../test/fake-api.ts";
import { testContext, testSource } from "../../../test/vm-context.ts";
import { VirgaError } from "../../errors.ts";
import type { SnapshotSource, VmContext } from "../port.ts";
import { apiError } from "./api-error.ts";
import { explainRestoreFailure, prepareRestore, restoreBody, whyNotMode } from "./restore.ts";

const MIB = 1024 * 1024;
const fixed = "/run/virga/vm";

/** A VM about to be restored from a published snapshot. */
async function clone(
  context: TestContext,
  isolated: boolean,
  mode: SnapshotSource["mode"],
  form: "file" | "ranges",
): Promise<{ vm: VmContext; source: SnapshotSource }> {
  const directory = await testDirectory(context);
  const vm = testContext(join(directory, "vm"), isolated, { memoryMib: 1 });
  await mkdir(vm.layout.host.directory, { recursive: true });
  const source = testSource(vm, join(directory, "snapshot"), mode, form);
  await mkdir(source.directory);
  const zone = { id: "memory", size: MIB, file: `${fixed}/snapshot/memory`, shared: false };
  const config = {
    memory: form === "file" ? { size: 0, zones: [zone] } : { size: MIB },
    payload: { kernel: `${fixed}/kernel` },
    vsock: { cid: 3, socket: `${fixed}/v.sock` },
    console: { mode: "Tty" },
  };
  await writeFile(join(source.directory, "config.json"), JSON.stringify(config));
  await writeFile(join(source.directory, "state.json"), "{}");
  const memory = join(source.directory, source.manifest.memory.file);
  await writeFile(memory, "guest memory");
  await truncate(memory, MIB);
  return { vm, source };
}

test("with the fixed paths the published directory is used as it is", async (context) => {
  for (const [mode, form, memoryMode] of [
    ["shared", "file", "Copy"],
    ["on-demand", "ranges", "OnDemand"],
    ["copy", "ranges", "Copy"],
  ] as const) {
    const { vm, source } = await clone(context, true, mode, form);
    await prepareRestore(vm, source, undefined);
    assert.ok(!existsSync(join(vm.layout.host.directory, "restore")));
    assert.deepEqual(restoreBody(vm, source), {
      source_url: "file:///run/virga/vm/snapshot",
      memory_restore_mode: memoryMode,
      resume: true,
    });
  }
});

test("without a mount namespace a clone gets a configuration of its own", async (context) => {
  for (const [mode, form] of [
    ["shared", "file"],
    ["on-demand", "ranges"],
  ] as const) {
    const { vm, source } = await clone(context, false, mode, form);
    await prepareRestore(vm, source, undefined);
    const { host } = vm.layout;
    const directory = join(host.directory, "restore");
    assert.equal(restoreBody(vm, source)["source_url"], `file://${directory}`);
    const zone = { id: "memory", size: MIB, file: join(host.snapshot, "memory"), shared: false };
    assert.deepEqual(JSON.parse(await readFile(join(directory, "config.json"), "utf8")), {
      memory: form === "file" ? { size: 0, zones: [zone] } : { size: MIB },
      payload: { kernel: host.kernel },
      vsock: { cid: 3, socket: host.vsock },
      console: { mode: "Tty" },
    });
    assert.equal(await readlink(join(directory, "state.json")), join(host.snapshot, "state.json"));
    const ranges = join(directory, "memory-ranges");
    if (form === "ranges")
      assert.equal(await readlink(ranges), join(host.snapshot, "memory-ranges"));
    else assert.ok(!existsSync(ranges));
  }
});

test("a copy of a mappable snapshot has a memory file of its own", async (context) => {
  const { vm, source } = await clone(context, true, "copy", "file");
  await prepareRestore(vm, source, undefined);
  const { host } = vm.layout;
  assert.equal(restoreBody(vm, source)["source_url"], `file://${fixed}/restore`);
  const config = JSON.parse(await readFile(join(host.directory, "restore", "config.json"), "utf8"));
  assert.deepEqual(config.memory.zones, [
    { id: "memory", size: MIB, file: `${fixed}/memory`, shared: true },
  ]);
  assert.equal((await readFile(host.memory, "utf8")).slice(0, 12), "guest memory");
  assert.equal((await stat(host.memory)).mode & 0o777, 0o600);
  const link = await readlink(join(host.directory, "restore", "state.json"));
  assert.equal(link, `${fixed}/snapshot/state.json`);
});

test("modes that a memory form does not allow are named with the reason", async (context) => {
  const vm = testContext(await testDirectory(context), true);
  const why = (mode: SnapshotSource["mode"], form: "file" | "ranges"): string | undefined =>
    whyNotMode(testSource(vm, "/snapshot", mode, form));
  assert.match(why("shared", "ranges") ?? "", /no file that clones can map/u);
  assert.match(why("on-demand", "file") ?? "", /only from memory-ranges/u);
  for (const [mode, form] of [
    ["shared", "file"],
    ["copy", "file"],
    ["copy", "ranges"],
    ["on-demand", "ranges"],
  ] as const) {
    assert.equal(why(mode, form), undefined);
  }
});

test("a host without userfaultfd is named, and nothing else is done instead", () => {
  const vm = testContext("/vm", true);
  const refused = apiError({
    call: "vm.restore",
    status: 500,
    body: '["Error from API","The VM could not be restored","On-demand restore failed","Failed to create userfaultfd","Operation not permitted (os error 1)"]',
  });
  const explained = explainRestoreFailure(refused, testSource(vm, "/s", "on-demand", "ranges"));
  assert.ok(explained instanceof VirgaError);
  assert.equal(explained.code, "UNSUPPORTED");
  assert.equal(explained.cause, refused);
  assert.match(explained.message, /may not use userfaultfd/u);
  assert.equal(explainRestoreFailure(refused, testSource(vm, "/s", "copy", "ranges")), refused);
  const other = apiError({ call: "vm.restore", status: 500, body: '["Error from API"]' });
  assert.equal(explainRestoreFailure(other, testSource(vm, "/s", "on-demand", "ranges")), other);
});
