import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { imageToolsMissing, usePathPrograms, useTemporaryDirectory } from "@virga/testkit";
import { buildImage } from "../src/images/build-image.ts";
import { goldenUpper } from "../src/images/golden-upper.ts";
import { ImageStore } from "../src/images/image-store.ts";
import { makeDebian } from "../src/images/make-debian.ts";
import { pullImage } from "../src/images/pull-image.ts";
import { craftLayer, craftLayout } from "./container-images.ts";
import { imagesIn } from "./image-stores.ts";
import { killAtTool } from "./kill-at-tool.ts";

// What is at work for a process that is killed ends with it, and the next one finds nothing in its way.

async function newPlace(t: TestContext) {
  const place = await useTemporaryDirectory(t);
  const directory = join(place, "images");
  await mkdir(directory);
  return { place, directory, at: (name: string) => join(place, name) };
}

async function onlyNames(directory: string): Promise<readonly string[] | undefined> {
  const [image, ...others] = await new ImageStore({ directory }).list();
  assert.deepEqual(others, []);
  return image?.names;
}

test("sqfstar, as an image is built", { skip: imageToolsMissing("sqfstar") }, async (t) => {
  const { place, directory, at } = await newPlace(t);
  await mkdir(at("tree"));
  await writeFile(at("tree/file"), "content");
  const options = { directory, from: at("tree") };
  const module = "images/build-image.ts";
  const args = [{ ...options, name: "a" }];
  await killAtTool(t, place, { module, name: "buildImage", args, program: "sqfstar" });
  const [half = "", ...others] = await imagesIn(directory);
  assert.deepEqual(others, []);
  assert.match(half, /^\.building-/);
  const { built, record } = await buildImage({ ...options, name: "b" });
  assert.equal(built, true);
  assert.deepEqual(await imagesIn(directory), [record.digest.slice(7)]);
  assert.deepEqual(await onlyNames(directory), ["b"]);
});

test("tar, as a directory is read", { skip: imageToolsMissing("sqfstar") }, async (t) => {
  const { place, directory, at } = await newPlace(t);
  await mkdir(at("tree"));
  const options = { directory, from: at("tree"), name: "a" };
  const module = "images/build-image.ts";
  await killAtTool(t, place, { module, name: "buildImage", args: [options], program: "tar" });
  assert.deepEqual(await imagesIn(directory), []);
  const { record } = await buildImage(options);
  assert.deepEqual(await imagesIn(directory), [record.digest.slice(7)]);
});

const noSkopeo = imageToolsMissing("skopeo", "sqfstar");
test("skopeo, as an image is pulled", { skip: noSkopeo }, async (t) => {
  const { place, directory, at } = await newPlace(t);
  await craftLayout(at("layout"), { layers: [craftLayer([{ path: "file" }])] });
  const options = { directory, reference: `oci:${at("layout")}` };
  const module = "images/pull-image.ts";
  await killAtTool(t, place, { module, name: "pullImage", args: [options], program: "skopeo" });
  const { built, record } = await pullImage(options);
  assert.equal(built, true);
  assert.deepEqual(await imagesIn(directory), [record.digest.slice(7)]);
  assert.deepEqual(await onlyNames(directory), ["layout"]);
});

test("mmdebstrap, as the image debian is made", { skip: noSkopeo }, async (t) => {
  const { place, directory, at } = await newPlace(t);
  const module = "images/make-debian.ts";
  const args = [{ directory }];
  await killAtTool(t, place, { module, name: "makeDebian", args, program: "mmdebstrap" });
  assert.equal((await readdir(join(directory, ".debian"))).length, 1);
  await writeFile(at("root.tar"), craftLayer([{ path: "etc/debian_version", content: "12" }]));
  const take = `for word; do case "$word" in */root.tar) cp ${at("root.tar")} "$word";; esac; done`;
  await usePathPrograms(t, place, { mmdebstrap: take });
  await makeDebian({ directory });
  assert.deepEqual(await readdir(join(directory, ".debian")), []);
  assert.deepEqual(await onlyNames(directory), ["debian"]);
});

test("mke2fs, as the first disk is made", { skip: imageToolsMissing("mke2fs") }, async (t) => {
  const { place, directory } = await newPlace(t);
  const [module, name] = ["images/golden-upper.ts", "goldenUpper"];
  await killAtTool(t, place, { module, name, args: [directory, 64], program: "mke2fs" });
  const path = await goldenUpper(directory, 64, undefined);
  assert.deepEqual(await imagesIn(directory), [path.slice(directory.length + 1)]);
});
