import assert from "node:assert/strict";
import { appendFile, open, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { OUTPUT_BYTES, makeOutputFile, outputStart } from "./output-file.ts";

async function startOf(path: string): Promise<number> {
  await using file = await open(path);
  return await outputStart(file);
}

test("an output file leaves room for its content below the limit, and takes none itself", async (t) => {
  const path = join(await useTemporaryDirectory(t), "log");
  const hole = 640 * OUTPUT_BYTES;
  makeOutputFile(path, hole + OUTPUT_BYTES);
  const { size, blocks, mode } = await stat(path);
  assert.deepEqual([size, mode & 0o777], [hole, 0o600]);
  assert.ok(blocks <= 8, `${blocks} blocks`);
  assert.equal(await startOf(path), hole);
  await appendFile(path, "x");
  assert.equal(await startOf(path), hole);
});

test("content begins behind the hole, also where there is none, and when the file is full", async (t) => {
  const path = join(await useTemporaryDirectory(t), "log");
  makeOutputFile(path, OUTPUT_BYTES);
  assert.equal(await startOf(path), 0);
  await appendFile(path, "first");
  assert.equal(await startOf(path), 0);
  assert.equal(await readFile(path, "utf8"), "first");
  await truncate(path, 0);
  makeOutputFile(path, 3 * OUTPUT_BYTES);
  await appendFile(path, Buffer.alloc(OUTPUT_BYTES, "x"));
  assert.equal(await startOf(path), 2 * OUTPUT_BYTES);
});
