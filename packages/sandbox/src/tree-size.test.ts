import assert from "node:assert/strict";
import { mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { treeSize } from "./tree-size.ts";

test("holes take no room, links are not followed, and what is not there has no size", async (t) => {
  const directory = await useTemporaryDirectory(t);
  await mkdir(join(directory, "deep/er"), { recursive: true });
  const sparse = join(directory, "deep/er/sparse");
  await writeFile(sparse, Buffer.alloc(100_000, 1));
  await truncate(sparse, 2 ** 30);
  await symlink("/", join(directory, "deep/root"));
  const size = await treeSize(directory);
  assert.equal(size.apparentBytes, 2 ** 30);
  assert.ok(size.realBytes >= 100_000 && size.realBytes < 2 ** 20, String(size.realBytes));
  assert.deepEqual(await treeSize(sparse), size);
  assert.deepEqual(await treeSize(join(directory, "absent")), { apparentBytes: 0, realBytes: 0 });
});
