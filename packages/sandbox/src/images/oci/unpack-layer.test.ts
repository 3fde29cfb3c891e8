import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { useTemporaryDirectory } from "@virga/testkit";
import type { LayerBlob } from "./read-layout.ts";
import { unpackLayer } from "./unpack-layer.ts";

const sha256 = (bytes: Buffer): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

async function place(
  t: TestContext,
  content: Buffer,
): Promise<{ blob: LayerBlob; target: string }> {
  const directory = await useTemporaryDirectory(t);
  const path = join(directory, "blob");
  const packed = gzipSync(content);
  writeFileSync(path, packed);
  const blob = { path, digest: sha256(packed), diffId: sha256(content) };
  return { blob, target: join(directory, "layer") };
}

test("a layer is unpacked, and told of by its bytes", async (t) => {
  const content = Buffer.alloc(300_000, "layer");
  const { blob, target } = await place(t, content);
  const told: number[] = [];
  const bytes = await unpackLayer(blob, target, { onBytes: (now) => void told.push(now) });
  assert.equal(bytes, content.length);
  assert.equal(told.at(-1), content.length);
  assert.ok(readFileSync(target).equals(content));
});

test("the layers of an image have one limit together", async (t) => {
  const { blob, target } = await place(t, Buffer.alloc(11));
  const limit = 64 * 2 ** 30;
  await assert.rejects(unpackLayer(blob, target, { usedBytes: limit - 10 }), {
    code: "IO_ERROR",
    message: /image is too large.* more than 68719476736 bytes/,
  });
  assert.equal(existsSync(target), false);
  assert.equal(await unpackLayer(blob, target, { usedBytes: limit - 11 }), 11);
});

test("a layer of another digest is refused", async (t) => {
  const { blob, target } = await place(t, Buffer.from("layer"));
  const other = { ...blob, diffId: sha256(Buffer.from("other")) };
  await assert.rejects(unpackLayer(other, target), { code: "IO_ERROR", message: /damaged/ });
  assert.equal(existsSync(target), false);
});
