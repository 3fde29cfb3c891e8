import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { fileLimit } from "./file-limit.ts";

const MIB = 1024 * 1024;

test("the limit is what the largest file needs that is written, in pieces of 16 MiB", async (t) => {
  const path = join(await useTemporaryDirectory(t), "disk");
  await writeFile(path, "");
  await truncate(path, 300 * MIB);
  const disk = { id: "a", path };
  assert.equal(await fileLimit({ disks: [] }, 0), 128 * MIB);
  assert.equal(await fileLimit({ disks: [] }, 200 * MIB), 208 * MIB);
  assert.equal(await fileLimit({ disks: [{ ...disk, readonly: true }] }, 0), 128 * MIB);
  assert.equal(await fileLimit({ disks: [{ ...disk, readonly: false }] }, 200 * MIB), 304 * MIB);
});
