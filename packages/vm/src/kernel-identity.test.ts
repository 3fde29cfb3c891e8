import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hangingKernel, useTemporaryDirectory } from "@virga/testkit";
import { identifyKernel } from "./kernel-identity.ts";

const VERSION = "6.12.117+deb12-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP (2026-11-14)";

function bzImage(version: string): Buffer {
  const file = Buffer.alloc(0x4000, 0xff);
  file.write("HdrS", 0x202, "latin1");
  file.writeUInt16LE(0x3000, 0x20e);
  file.write(`${version}\0`, 0x200 + 0x3000, "latin1");
  return file;
}

/** An ELF file with one segment of notes: one of Linux, then its build id. */
function elf(buildId: string): Buffer {
  const note = (name: string, type: number, data: Buffer): Buffer => {
    const head = Buffer.alloc(12 + Math.ceil((name.length + 1) / 4) * 4);
    head.writeUInt32LE(name.length + 1, 0);
    head.writeUInt32LE(data.length, 4);
    head.writeUInt32LE(type, 8);
    head.write(name, 12, "latin1");
    return Buffer.concat([head, data, Buffer.alloc(-data.length & 3)]);
  };
  const notes = Buffer.concat([
    note("Linux", 257, Buffer.from("6.12.117+deb12\0")),
    note("GNU", 3, Buffer.from(buildId, "hex")),
  ]);
  const file = Buffer.alloc(64 + 56);
  file.write("\u007FELF\u0002\u0001\u0001", 0, "latin1");
  file.writeBigUInt64LE(64n, 0x20);
  file.writeUInt16LE(56, 0x36);
  file.writeUInt16LE(1, 0x38);
  file.writeUInt32LE(4, 64);
  file.writeBigUInt64LE(BigInt(file.length), 64 + 0x08);
  file.writeBigUInt64LE(BigInt(notes.length), 64 + 0x20);
  return Buffer.concat([file, notes]);
}

test("a kernel is known by what its build calls itself", async (t) => {
  const path = join(await useTemporaryDirectory(t), "kernel");
  const identityOf = async (content: Buffer): Promise<string | null | undefined> => {
    await writeFile(path, content);
    const found = await identifyKernel(path);
    assert.deepEqual([found?.path, found?.bytes], [path, content.length]);
    return found?.identity;
  };
  const id = "3fa0c2d1e4b5968778695a4b3c2d1e0f01234567";
  assert.equal(await identityOf(bzImage(VERSION)), VERSION);
  assert.equal(await identityOf(elf(id)), `build-id ${id}`);
  assert.equal(await identityOf(hangingKernel("")), null, "an ELF file without a build id");
  assert.equal(await identityOf(Buffer.alloc(0)), null);
  assert.equal(await identityOf(bzImage("\u001B]0;x\u0007")), null, "no text");
  assert.equal((await identityOf(bzImage("x".repeat(5000))))?.length, 512);
});

test("a damaged kernel is no error and no endless reading", async (t) => {
  const path = join(await useTemporaryDirectory(t), "kernel");
  const whole = [bzImage(VERSION), elf("00112233")];
  for (const file of whole) {
    for (let bytes = 0; bytes < Math.min(file.length, 700); bytes++) {
      await writeFile(path, file.subarray(0, bytes));
      const found = await identifyKernel(path);
      assert.equal(found?.identity, null, `${bytes} bytes`);
    }
  }
  const huge = elf("00112233");
  huge.fill(0xff, 64 + 0x08, 64 + 0x28);
  await writeFile(path, huge);
  assert.equal((await identifyKernel(path))?.identity ?? null, null);
});

test("what is no file tells nothing", async (t) => {
  const place = await useTemporaryDirectory(t);
  await mkdir(join(place, "folder"));
  execFileSync("mkfifo", [join(place, "pipe")]);
  for (const name of ["absent", "folder", "pipe"]) {
    assert.equal(await identifyKernel(join(place, name)), undefined, name);
  }
});
