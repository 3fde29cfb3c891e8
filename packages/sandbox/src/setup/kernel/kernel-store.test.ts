import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { useTemporaryDirectory } from "@virga/testkit";
import { currentKernel, dropKernels, publishKernel, type KernelContent } from "./kernel-store.ts";

const elf = Buffer.from("\x7fELF\x02\x01 kernel", "latin1");
const module = (name: string) => ({
  name,
  content: Buffer.from(name),
  info: { depends: [], release: "6.12" },
});
const content: KernelContent = {
  id: "6.12-cloud_6.12-1",
  release: "6.12-cloud",
  source: "package linux-image-6.12-cloud 6.12-1",
  image: elf,
  modules: [module("b"), module("a")],
};

test("a kernel is written once and becomes the current one", async (t) => {
  const root = join(await useTemporaryDirectory(t), "kernel");
  assert.equal(await currentKernel(root), undefined);
  const kernel = await publishKernel(root, content);
  assert.deepEqual(await currentKernel(root), kernel);
  assert.equal(kernel.directory, join(root, content.id));
  assert.deepEqual(
    kernel.modules.map((path) => path.slice(kernel.directory.length)),
    ["/modules/b.ko", "/modules/a.ko"],
  );
  assert.ok((await readFile(kernel.vmlinux ?? "")).equals(elf));
  await publishKernel(root, { ...content, image: Buffer.from("another") });
  assert.ok((await readFile(kernel.vmlinuz)).equals(elf), "what has the same id is the same");
});

test("a newer kernel takes over and the old one stays for what was made with it", async (t) => {
  const root = await useTemporaryDirectory(t);
  const first = await publishKernel(root, content);
  const second = await publishKernel(root, { ...content, id: "second", modules: [] });
  assert.deepEqual(await currentKernel(root), second);
  assert.ok((await readFile(first.vmlinuz)).equals(elf));
  assert.deepEqual((await readdir(root)).toSorted(), [content.id, "current", "second"]);
});

test("old kernels are removed, but for the current one and those that are kept", async (t) => {
  const root = await useTemporaryDirectory(t);
  for (const id of ["first", "second", "third", "fourth"]) {
    await publishKernel(root, { ...content, id, modules: [] });
  }
  const dropped = await dropKernels(root, new Set(["second"]));
  assert.deepEqual(dropped.toSorted(), ["first", "third"]);
  assert.deepEqual((await readdir(root)).toSorted(), ["current", "fourth", "second"]);
  assert.equal((await currentKernel(root))?.id, "fourth");
});

test("a kernel that cannot be unpacked is kept packed", async (t) => {
  const root = await useTemporaryDirectory(t);
  const image = zstdCompressSync(elf);
  const kernel = await publishKernel(root, { ...content, image });
  assert.equal(kernel.vmlinux, undefined);
  assert.ok((await readFile(kernel.vmlinuz)).equals(image));
});

test("a directory of another layout is made anew", async (t) => {
  const root = await useTemporaryDirectory(t);
  const kernel = await publishKernel(root, content);
  await writeFile(join(kernel.directory, "kernel.json"), '{"format":0}');
  await writeFile(kernel.vmlinuz, "old");
  assert.equal(await currentKernel(root), undefined);
  await publishKernel(root, content);
  assert.ok((await readFile(kernel.vmlinuz)).equals(elf));
  assert.deepEqual(await currentKernel(root), kernel);
});
