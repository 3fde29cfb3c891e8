import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { openImageSource } from "./image-source.ts";

test("what a directory has of its builder's is root's in the image, for others than root too", async (t) => {
  const isRoot = process.geteuid?.() === 0;
  const tree = join(await useTemporaryDirectory(t), "tree");
  await mkdir(tree);
  for (const name of ["mine", "other"]) await writeFile(join(tree, name), name);
  if (isRoot) {
    for (const path of [tree, join(tree, "mine")]) chownSync(path, 1234, 5678);
    chownSync(join(tree, "other"), 77, 88);
  }
  const source = await openImageSource(tree, isRoot ? { uid: 1234, gid: 5678 } : undefined);
  const input = await buffer(source.read());
  const listing = execFileSync("tar", ["--list", "--verbose", "--numeric-owner"], { input });
  const owners = listing
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.replace(/^\S+ (\S+) .* (\S+)$/u, "$1 $2"));
  const other = isRoot ? "77/88" : "0/0";
  assert.deepEqual(owners, ["0/0 ./", "0/0 ./mine", `${other} ./other`]);
});
