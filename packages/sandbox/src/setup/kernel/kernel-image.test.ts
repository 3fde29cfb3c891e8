import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { prerequisite } from "@virga/testkit";
import { extractVmlinux } from "./kernel-image.ts";

const kernel = Buffer.concat([
  Buffer.from("\x7fELF\x02\x01", "latin1"),
  Buffer.alloc(100_000, "kernel code "),
]);

function bzImage(payload: Buffer, version = 0x20f): Buffer {
  const setupSectors = 3;
  const image = Buffer.alloc((setupSectors + 1) * 512 + 100);
  image[0x1f1] = setupSectors;
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(version, 0x206);
  image.writeUInt32LE(100, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([image, payload, Buffer.from("what follows the payload")]);
}

function sized(packed: Buffer, size = kernel.length): Buffer {
  const suffix = Buffer.alloc(4);
  suffix.writeUInt32LE(size);
  return Buffer.concat([packed, suffix]);
}

function pack(program: string, ...args: string[]): Buffer {
  return spawnSync(program, args, { input: kernel, maxBuffer: 16 << 20 }).stdout;
}

test("unpacks a kernel packed by zstd or gzip", async () => {
  const images = { zstd: sized(zstdCompressSync(kernel)), gzip: gzipSync(kernel) };
  for (const [name, payload] of Object.entries(images)) {
    assert.ok((await extractVmlinux(bzImage(payload)))?.equals(kernel), name);
  }
});

for (const [program, args] of [
  ["xz", ["-c", "--check=crc32"]],
  ["lz4", ["-c", "-l"]],
] as const) {
  const missing = spawnSync(program, ["--version"]).status === 0 ? undefined : "not installed";
  test(
    `unpacks a kernel packed by ${program}`,
    { skip: prerequisite(program, missing) },
    async () => {
      assert.ok((await extractVmlinux(bzImage(sized(pack(program, ...args)))))?.equals(kernel));
    },
  );
}

test("an ELF kernel is used as it is", async () => {
  assert.equal(await extractVmlinux(kernel), kernel);
});

test("an image that does not say where its payload is, or is packed in another way, stays packed", async () => {
  const packed = sized(zstdCompressSync(kernel));
  const old = bzImage(packed, 0x207);
  const beyond = bzImage(packed);
  beyond.writeUInt32LE(packed.length + 1000, 0x24c);
  for (const [name, image] of Object.entries({
    empty: Buffer.alloc(0),
    noise: Buffer.alloc(4096, 7),
    old,
    beyond,
    bzip2: bzImage(sized(Buffer.from("BZh9 and so on"))),
    "not ELF": bzImage(sized(zstdCompressSync(Buffer.from("text")), 4)),
    "other size than the build noted": bzImage(sized(zstdCompressSync(kernel), 5)),
  })) {
    assert.equal(await extractVmlinux(image), undefined, name);
  }
});
