import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { imageToolsMissing, useTemporaryDirectory } from "@virga/testkit";
import { goldenUpper } from "./golden-upper.ts";

const skip = imageToolsMissing("mke2fs", "e2fsck");

test(
  "the golden disk is a sound, sparse ext4 of the size asked for, made once",
  { skip },
  async (t) => {
    const directory = await useTemporaryDirectory(t);
    await mkdir(join(directory, ".partial-killed"));
    const paths = await Promise.all([1, 2, 3].map(() => goldenUpper(directory, 10_240, undefined)));
    assert.equal(new Set(paths).size, 1);
    const path = paths[0] ?? "";
    const { size, blocks } = await stat(path);
    assert.equal(size, 10 * 2 ** 30);
    assert.ok(blocks * 512 < 2 ** 20, `${blocks} blocks`);
    execFileSync("e2fsck", ["-fn", path], { stdio: "ignore" });
    const other = await goldenUpper(directory, 64, undefined);
    assert.equal((await stat(other)).size, 64 * 2 ** 20);
    const left = (await readdir(directory)).filter((name) => !name.endsWith(".lock"));
    assert.equal(left.length, 2, left.join());
  },
);
