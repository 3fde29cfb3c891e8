import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { fingerprint, readReady, writeReady } from "./ready-cache.ts";

test("the fingerprint changes with any file, in folders too", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const [file, folder] = [join(directory, "file"), join(directory, "folder")];
  const seen = new Set<string>();
  const look = async (): Promise<void> => {
    const print = await fingerprint([file, folder]);
    assert.equal(await fingerprint([file, folder]), print);
    assert.ok(!seen.has(print));
    seen.add(print);
  };
  await look();
  await writeFile(file, "1");
  await look();
  await mkdir(join(folder, "deep"), { recursive: true });
  await writeFile(join(folder, "deep/file"), "1");
  await look();
  await rm(join(folder, "deep/file"));
  await writeFile(join(folder, "deep/file"), "2");
  await look();
  await rm(file);
  await look();
});

test("what was noted is given while it is there and nothing it was made from has changed; else the reason is told", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const at = (name: string): string => join(directory, name);
  const assets = {
    kernelId: "k",
    kernelRelease: "6.12",
    kernel: at("kernel"),
    initramfs: at("initramfs"),
    initramfsHash: "h",
    launcher: at("launcher"),
    passtGuard: at("guard"),
  };
  for (const path of [assets.kernel, assets.initramfs, assets.launcher, assets.passtGuard])
    await writeFile(path, "x");
  const file = at("ready.json");
  const why = async (key: string): Promise<string> => (await readReady(file, key)).why ?? "";
  assert.match(await why("key"), /not been finished/);
  await writeReady(file, "key", assets);
  assert.deepEqual(await readReady(file, "key"), { assets });
  assert.match(await why("another key"), /has changed since/);
  await writeFile(assets.launcher, "");
  assert.match(await why("key"), /is gone/);
  await writeFile(file, '{"format":0}');
  assert.match(await why("key"), /another version/);
  await writeFile(file, '{"format":2,"key":"key"');
  assert.match(await why("key"), /not been finished/);
});
