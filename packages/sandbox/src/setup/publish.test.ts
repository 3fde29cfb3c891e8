import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { publishDirectory, publishFile, removePartial } from "./publish.ts";

test("a directory appears whole, and a failed one not at all", async (t) => {
  const root = await useTemporaryDirectory(t);
  await publishDirectory(join(root, "a"), async (work) => {
    await writeFile(join(work, "x"), "1");
    assert.ok(!(await readdir(root)).includes("a"));
  });
  await assert.rejects(
    publishDirectory(join(root, "b"), async (work) => {
      await writeFile(join(work, "x"), "1");
      throw new Error("no");
    }),
    /^Error: no$/,
  );
  assert.deepEqual(await readdir(root), ["a"]);
});

test("a directory that is there already is kept", async (t) => {
  const root = await useTemporaryDirectory(t);
  for (const text of ["first", "second"]) {
    await publishDirectory(join(root, "a"), (work) => writeFile(join(work, "x"), text));
  }
  assert.equal(await readFile(join(root, "a/x"), "utf8"), "first");
  assert.deepEqual(await readdir(root), ["a"]);
});

test("a file replaces the one before", async (t) => {
  const root = await useTemporaryDirectory(t);
  for (const text of ["first", "second"]) {
    await publishFile(join(root, "f"), (path) => writeFile(path, text));
  }
  assert.equal(await readFile(join(root, "f"), "utf8"), "second");
  assert.deepEqual(await readdir(root), ["f"]);
});

test("what an interruption left is removed, and nothing else", async (t) => {
  const root = await useTemporaryDirectory(t);
  await mkdir(join(root, ".partial-abc/deep"), { recursive: true });
  await mkdir(join(root, "kept"));
  await removePartial(root);
  await removePartial(join(root, "not-there"));
  assert.deepEqual(await readdir(root), ["kept"]);
});
