import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { prerequisite } from "@virga/testkit";
import { unpackLz4Legacy } from "./lz4-legacy.ts";

const LIMIT = 64 << 20;
const noLz4 = spawnSync("lz4", ["--version"]).status === 0 ? undefined : "lz4 is not installed";

// Same every time: bytes that do not compress, runs, repeats at many distances.
function sample(length: number): Buffer {
  const blocks: Buffer[] = [];
  let total = 0;
  for (let seed = 0; total < length; seed++) {
    const noise = createHash("sha512").update(String(seed)).digest();
    const block = Buffer.concat([
      noise,
      Buffer.alloc((seed * 37) % 600, seed),
      noise.subarray(0, seed % 64),
      blocks[seed >> 1] ?? noise,
    ]);
    blocks.push(block);
    total += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const frame = (...block: number[]): Buffer =>
  Buffer.from([0x02, 0x21, 0x4c, 0x18, block.length, 0, 0, 0, ...block]);

test("unpacks what the lz4 program packs", { skip: prerequisite("lz4", noLz4) }, () => {
  for (const length of [0, 1, 100, 70_000, (8 << 20) + 5]) {
    const content = sample(length);
    const packed = spawnSync("lz4", ["-l", "-9", "-c"], {
      input: content,
      maxBuffer: LIMIT,
    }).stdout;
    assert.ok(unpackLz4Legacy(packed, LIMIT).equals(content), `${length} bytes`);
  }
});

test("a match may overlap what it makes", () => {
  // Two literals, then 9 bytes from 2 back, then the last literal.
  assert.equal(
    unpackLz4Legacy(frame(0x25, 0x61, 0x62, 2, 0, 0x10, 0x21), LIMIT).toString(),
    "ababababab" + "a!",
  );
});

test("damaged frames are refused", () => {
  const damaged: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    "other magic": Buffer.from([0x04, 0x22, 0x4d, 0x18]),
    "cut in the size": Buffer.concat([frame(0x10, 0x21), Buffer.from([1])]),
    "cut in the block": frame(0x10, 0x21).subarray(0, -1),
    "literals beyond the block": frame(0x50, 0x21),
    "match before the start": frame(0x14, 0x61, 9, 0, 0x10, 0x21),
    "distance of zero": frame(0x14, 0x61, 0, 0, 0x10, 0x21),
    "length cut off": frame(0xf0),
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    assert.throws(() => unpackLz4Legacy(bytes, LIMIT), RangeError, name);
  }
  // 255 × 40,000 bytes from one literal: more than a block holds.
  const bomb = Buffer.concat([
    Buffer.from([0x1f, 0x61, 1, 0]),
    Buffer.alloc(40_000, 255),
    Buffer.from([0, 0x10, 0x21]),
  ]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bomb.length);
  assert.throws(
    () => unpackLz4Legacy(Buffer.concat([frame().subarray(0, 4), size, bomb]), LIMIT),
    /beyond the block/,
  );
  const two = Buffer.concat([frame(0x10, 0x21), frame(0x10, 0x21)]);
  assert.equal(unpackLz4Legacy(two, 2).toString(), "!!");
  assert.throws(() => unpackLz4Legacy(two, 1), /more than 1 bytes/);
});
