import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { readTail } from "./read-tail.ts";

test("the end of a file, and its size", async (context) => {
  const path = join(await useTemporaryDirectory(context), "log");
  await writeFile(path, "0123456789");
  assert.deepEqual(await readTail(path, 4), { size: 10, bytes: Buffer.from("6789") });
  assert.deepEqual(await readTail(path, 100), { size: 10, bytes: Buffer.from("0123456789") });
});

test("a hole before the text is left out", async (context) => {
  const path = join(await useTemporaryDirectory(context), "log");
  await writeFile(path, "");
  await truncate(path, 1_000_000);
  assert.deepEqual(await readTail(path, 100), { size: 1_000_000, bytes: Buffer.alloc(0) });
  await appendFile(path, "last\0words");
  assert.deepEqual((await readTail(path, 100)).bytes, Buffer.from("last\0words"));
});

test("a missing file, a pipe, a link and a directory are empty", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const [file, pipe, link] = ["file", "pipe", "link"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(file, "secret");
  await symlink(file, link);
  execFileSync("mkfifo", [pipe]);
  for (const path of [join(directory, "missing"), pipe, link, directory]) {
    assert.equal((await readTail(path, 100)).bytes.length, 0, path);
  }
});
