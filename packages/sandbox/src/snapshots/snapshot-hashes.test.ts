import assert from "node:assert/strict";
import { open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { makeSnapshot } from "../../test/make-snapshot.ts";
import { upperOf } from "../templates/template-paths.ts";
import { hashesOf, verifySnapshot, writeHashes } from "./snapshot-hashes.ts";

const MIB = 2 ** 20;

async function testSnapshot(t: TestContext): Promise<string> {
  const directory = join(await useTemporaryDirectory(t), "snapshot");
  await makeSnapshot(directory);
  return directory;
}

async function write(path: string, position: number, text: string): Promise<void> {
  const file = await open(path, "r+");
  await file.write(text, position);
  await file.close();
}

test("hashes tell every change of memory and disk, wherever it is", async (t) => {
  const snapshot = await testSnapshot(t);
  const memory = join(snapshot, "memory");
  await writeHashes(snapshot, undefined);
  assert.equal(await verifySnapshot(snapshot, undefined), undefined);
  // The same content in another form is the same: zeros that were written, and not left out.
  const file = await open(memory, "r+");
  await file.write(Buffer.alloc(MIB), 0, MIB, 20 * MIB);
  await file.close();
  assert.equal(await verifySnapshot(snapshot, undefined), undefined);
  for (const [position, before] of [
    [0, "\0"],
    [10 * MIB + 6, "a"],
    [64 * MIB - 1, "\0"],
  ] as const) {
    await write(memory, position, "!");
    assert.match((await verifySnapshot(snapshot, undefined)) ?? "", /^memory is not what it was/u);
    await write(memory, position, before);
    assert.equal(await verifySnapshot(snapshot, undefined), undefined);
  }
  await write(memory, 10 * MIB + 5, "\0\0\0\0");
  await write(memory, 11 * MIB + 5, "data");
  assert.match((await verifySnapshot(snapshot, undefined)) ?? "", /^memory is not what it was/u);
});

test("what is missing or damaged is told", async (t) => {
  const snapshot = await testSnapshot(t);
  await writeHashes(snapshot, undefined);
  await truncate(upperOf(snapshot), 3 * MIB);
  assert.equal(
    await verifySnapshot(snapshot, undefined),
    `upper.ext4 has ${3 * MIB} bytes instead of ${3 * MIB + 17}`,
  );
  await rm(upperOf(snapshot));
  assert.equal(await verifySnapshot(snapshot, undefined), "upper.ext4 is gone");
  for (const content of [
    "{",
    "null",
    '{"format":2,"files":{}}',
    '{"format":1,"files":{"a":null}}',
  ]) {
    await writeFile(hashesOf(snapshot), content);
    assert.equal(await verifySnapshot(snapshot, undefined), "its hashes.json is damaged", content);
  }
  await rm(hashesOf(snapshot));
  assert.equal(await verifySnapshot(snapshot, undefined), undefined, "none were kept");
  await truncate(join(snapshot, "memory"), MIB);
  assert.match((await verifySnapshot(snapshot, undefined)) ?? "", /cannot be used/u);
});

test("hashing ends with the signal, and leaves nothing", async (t) => {
  const snapshot = await testSnapshot(t);
  await assert.rejects(writeHashes(snapshot, AbortSignal.abort()), { code: "ABORTED" });
  await assert.rejects(readFile(hashesOf(snapshot)), { code: "ENOENT" });
  assert.equal(dirname(hashesOf(snapshot)), dirname(snapshot));
});
