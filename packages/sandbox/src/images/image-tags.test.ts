import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { ImageTags } from "./image-tags.ts";
import { digestOf } from "../../test/image-stores.ts";

async function noTags(t: TestContext): Promise<{ tags: ImageTags; directory: string }> {
  const root = await useTemporaryDirectory(t);
  const directory = join(root, "tags");
  await mkdir(directory);
  return { tags: new ImageTags(root), directory };
}

test("names with path characters stay files in the tags' folder", async (t) => {
  const { tags, directory } = await noTags(t);
  const tag = { name: "localhost:5000/a/b:1", digest: digestOf("a") };
  await tags.write(tag);
  assert.equal(await tags.read(tag.name), tag.digest);
  assert.deepEqual(await readdir(directory), ["localhost%3A5000%2Fa%2Fb%3A1"]);
  assert.equal(await tags.read("../tags/localhost:5000/a/b:1"), undefined);
  assert.equal(await tags.read("a".repeat(300)), undefined);
  await tags.remove(tag.name);
  assert.deepEqual([await tags.read(tag.name), await tags.list()], [undefined, []]);
});

test("what is no tag is left out, and what a killed process left half written goes", async (t) => {
  const { tags, directory } = await noTags(t);
  for (const [file, content] of [
    ["damaged", "sha256:12"],
    ["%zz", digestOf("a")],
    ["%2Froot", digestOf("a")],
  ] as const) {
    await writeFile(join(directory, file), content);
  }
  await mkdir(join(directory, ".partial-x"));
  const [b, a] = [
    { name: "b", digest: digestOf("b") },
    { name: "a", digest: digestOf("a") },
  ];
  for (const tag of [b, a]) await tags.write(tag);
  assert.deepEqual(await tags.list(), [a, b]);
  assert.deepEqual(await readdir(directory), ["%2Froot", "%zz", "a", "b", "damaged"]);
});
