import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { currentBusybox, importBusybox } from "./busybox.ts";

// A program with one program header of the given type: 1 is LOAD, 3 asks for an interpreter.
function program(type: number): Buffer {
  const bytes = Buffer.alloc(64 + 56);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeBigUInt64LE(64n, 0x20);
  bytes.writeUInt16LE(56, 0x36);
  bytes.writeUInt16LE(1, 0x38);
  bytes.writeUInt32LE(type, 64);
  return bytes;
}

test("a static busybox is kept under its hash, executable, and used from then on", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const root = join(directory, "store");
  assert.equal(await currentBusybox(root), undefined);
  await writeFile(join(directory, "busybox"), program(1));
  const path = await importBusybox(root, join(directory, "busybox"));
  assert.equal(await currentBusybox(root), path);
  assert.equal((await stat(path)).mode & 0o777, 0o755);
  assert.ok((await readFile(path)).equals(program(1)));
  await importBusybox(root, join(directory, "busybox"));
});

test("what is not a static program is refused", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const file = join(directory, "busybox");
  const cut = program(1);
  cut.writeUInt16LE(9, 0x38);
  const none = program(1);
  none.writeUInt16LE(0, 0x38);
  for (const content of [program(3), cut, none, Buffer.from("#!/bin/sh\n"), Buffer.alloc(0)]) {
    await writeFile(file, content);
    await assert.rejects(
      importBusybox(directory, file),
      (error) =>
        error instanceof VirgaError &&
        error.code === "SETUP_FAILED" &&
        error.message.includes(file),
    );
  }
  await assert.rejects(
    importBusybox(directory, join(directory, "gone")),
    /Cannot read busybox at .*gone/,
  );
  assert.equal(await currentBusybox(directory), undefined);
});
