import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { nearestExisting } from "./nearest-existing.ts";

test("a path that is not there yet leads to what is there above it", async (t) => {
  const directory = await useTemporaryDirectory(t);
  assert.equal(await nearestExisting(directory), directory);
  assert.equal(await nearestExisting(join(directory, "a/b/c")), directory);
  const file = join(directory, "file");
  await writeFile(file, "");
  await assert.rejects(nearestExisting(join(file, "a")), { code: "ENOTDIR" });
});
