import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { mountsMissing, useTemporaryDirectory } from "@virga/testkit";
import { checkSnapshotHost, readSnapshot } from "./check.ts";
import { hostCpu } from "./host-cpu.ts";
import { fillTemporary, publish, temporaryFor, checkDestination } from "./publish.ts";
import { compareShapes } from "./shape.ts";
import type { SnapshotManifest } from "./manifest.ts";

const shape = {
  vcpus: 1,
  memoryMib: 64,
  balloon: false,
  guestChannel: true,
  console: true,
  mac: null,
  tap: null,
  isolated: true,
  disks: [],
};
const facts = {
  format: 1,
  createdAt: "2026-01-01T00:00:00Z",
  hypervisor: "cloud-hypervisor",
  hypervisorVersion: "v53.0",
  accelerator: "kvm",
  architecture: process.arch,
  cpuModel: hostCpu(),
  sandboxId: "a",
  templateId: null,
  kernel: { path: "/boot/vmlinuz", bytes: 7, identity: "6.12.117" },
  parent: null,
  shape,
  memory: { form: "ranges", file: "memory-ranges", bytes: 10 },
} as const;
const build = {
  name: "cloud-hypervisor",
  binary: "/b",
  version: "v53.0",
  numbers: [53, 0, 0],
  mapsReadOnly: false,
  accelerator: "kvm",
} as const;

async function snapshot(t: TestContext): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "virga-snapshot-"));
  t.after(() => rm(work, { recursive: true }));
  const source = join(work, "out");
  const directory = join(work, "snap");
  await mkdir(source);
  await writeFile(join(source, "config.json"), "{}");
  await writeFile(join(source, "memory-ranges"), "0123456789");
  const temporary = temporaryFor(directory);
  await mkdir(temporary);
  await fillTemporary(temporary, {
    source,
    files: ["config.json", "memory-ranges"],
    memoryWritable: false,
    manifest: facts,
  });
  await publish(temporary, directory);
  return directory;
}

test("a link among the VMM's files is refused, and what it leads to stays as it is", async (t) => {
  const work = await mkdtemp(join(tmpdir(), "virga-snapshot-"));
  t.after(() => rm(work, { recursive: true }));
  const target = join(work, "target");
  await writeFile(target, "{}", { mode: 0o600 });
  await mkdir(join(work, "out"));
  await symlink(target, join(work, "out", "config.json"));
  await mkdir(join(work, "temporary"));
  const publication = {
    source: join(work, "out"),
    files: ["config.json"],
    memoryWritable: true,
    manifest: facts,
  };
  await assert.rejects(fillTemporary(join(work, "temporary"), publication), { code: "ELOOP" });
  assert.equal((await stat(target)).mode & 0o777, 0o600);
  const signal = AbortSignal.abort();
  await assert.rejects(fillTemporary(work, publication, signal), { code: "ABORTED" });
});

test("what is published is read back", async (t) => {
  const directory = await snapshot(t);
  const manifest = await readSnapshot(directory);
  assert.equal(manifest.files.length, 2);
  assert.deepEqual(manifest.kernel, facts.kernel);
  checkSnapshotHost(directory, manifest, build);
  // As earlier versions wrote it.
  const { kernel: _, ...earlier } = manifest;
  await rm(join(directory, "manifest.json"));
  await writeFile(join(directory, "manifest.json"), JSON.stringify(earlier));
  assert.equal((await readSnapshot(directory)).kernel, undefined);
});

test("damage is found before anything starts", async (t) => {
  const damage: [string, (directory: string) => Promise<void>, RegExp][] = [
    ["no manifest", (d) => rm(join(d, "manifest.json")), /no manifest\.json/u],
    ["garbage", (d) => writeFile(join(d, "manifest.json"), "{"), /manifest is damaged/u],
    ["other format", (d) => writeFile(join(d, "manifest.json"), '{"format":2}'), /format is 2/u],
    ["missing fields", (d) => writeFile(join(d, "manifest.json"), '{"format":1}'), /lacks fields/u],
    ["a kernel that is none", async (d) => {
      const text = await readFile(join(d, "manifest.json"), "utf8");
      await writeFile(join(d, "manifest.json"), JSON.stringify({ ...JSON.parse(text) as object, kernel: { path: "/k" } }));
    }, /lacks fields or holds wrong ones/u],
    ["missing file", (d) => rm(join(d, "config.json")), /config\.json is missing/u],
    ["truncated memory", (d) => truncate(join(d, "memory-ranges"), 3), /memory-ranges has 3 bytes, 10 were written/u],
    ["changed state", (d) => writeFile(join(d, "config.json"), "[]"), /config\.json was changed/u],
    ["a name that leaves the directory", async (d) => {
      const text = await readFile(join(d, "manifest.json"), "utf8");
      await writeFile(join(d, "manifest.json"), text.replace('"config.json"', '"../config.json"'));
    }, /lacks fields or holds wrong ones/u],
  ]; // prettier-ignore
  for (const [name, change, message] of damage) {
    const directory = await snapshot(t);
    await change(directory);
    await assert.rejects(readSnapshot(directory), { code: "SNAPSHOT_INVALID", message }, name);
  }
  await assert.rejects(readSnapshot("/nonexistent/x"), { code: "SNAPSHOT_INVALID" });
});

test("another driver, version, accelerator or processor is refused, naming both values", async (t) => {
  const directory = await snapshot(t);
  const manifest: SnapshotManifest = await readSnapshot(directory);
  for (const [change, message] of [
    [{ hypervisor: "qemu" }, /hypervisor qemu, here is cloud-hypervisor/u],
    [{ hypervisorVersion: "v52.0" }, /version v52\.0, here is v53\.0/u],
    [{ accelerator: "tcg" }, /accelerator tcg/u],
    [{ cpuModel: "other" }, /CPU other/u],
  ] as const) {
    assert.throws(() => checkSnapshotHost(directory, { ...manifest, ...change }, build), {
      code: "SNAPSHOT_MISMATCH",
      message,
    });
  }
});

test("a configuration that contradicts the snapshot is refused, naming every difference", () => {
  assert.throws(
    () => compareShapes(shape, { ...shape, memoryMib: 128, mac: "02:00:00:00:00:01" }, "/s"),
    {
      code: "SNAPSHOT_MISMATCH",
      message: /memoryMib is 64 in the snapshot, 128 in the configuration; mac is null/u,
    },
  );
  compareShapes(shape, shape, "/s");
});

test("a destination must be absent or empty", async (t) => {
  const directory = await snapshot(t);
  await assert.rejects(checkDestination(directory), {
    code: "INVALID_ARGUMENT",
    message: /not empty/u,
  });
  await assert.rejects(checkDestination(join(directory, "config.json")), {
    code: "INVALID_ARGUMENT",
    message: /not a directory/u,
  });
  await checkDestination(join(directory, "x"));
  const empty = join(directory, "empty");
  await mkdir(empty);
  await checkDestination(empty);
  for (const target of [empty, join(directory, "nowhere")]) {
    const link = join(directory, "link");
    await symlink(target, link);
    await assert.rejects(checkDestination(link), {
      code: "INVALID_ARGUMENT",
      message: /not a directory/u,
    });
    await rm(link);
  }
});

test("a destination must not be a mount", { skip: mountsMissing() }, async (t) => {
  const mount = await useTemporaryDirectory(t);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", mount]);
  try {
    await assert.rejects(checkDestination(mount), {
      code: "INVALID_ARGUMENT",
      message: /a file system is mounted/u,
    });
    await checkDestination(join(mount, "x"));
    // The parent's own name may be a link that leads there.
    const linked = `${mount}-link`;
    await symlink(mount, linked);
    await mkdir(join(mount, "empty"));
    t.after(() => rm(linked));
    await checkDestination(join(linked, "empty"));
  } finally {
    execFileSync("umount", [mount]);
  }
});
