import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { findTestFiles, isLongInLab, takeShard, tierOf } from "./test-files.ts";

test("the tier is in the file's name", () => {
  assert.equal(tierOf("a.test.ts"), "fast");
  assert.equal(tierOf("a.vm.test.ts"), "vm");
  assert.equal(tierOf("a.lab.test.ts"), "lab");
  assert.equal(tierOf("a.long.test.ts"), "long");
  assert.equal(tierOf("a.lab.long.test.ts"), "long");
  assert.deepEqual(["a.lab.long.test.ts", "a.long.test.ts"].map(isLongInLab), [true, false]);
  assert.equal(tierOf("a.ts"), undefined);
  assert.equal(tierOf("a.test.js"), undefined);
});

test("files are found in the known folders, built output excepted", (t) => {
  const root = mkdtempSync(join(tmpdir(), "virga-files-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const file of [
    "packages/vm/src/b.test.ts",
    "packages/vm/src/a.vm.test.ts",
    "packages/vm/dist/c.test.ts",
    "packages/vm/node_modules/d.test.ts",
    "tools/e.test.ts",
    "elsewhere/f.test.ts",
  ]) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), "");
  }
  assert.deepEqual(findTestFiles(root, ["fast"]), ["packages/vm/src/b.test.ts", "tools/e.test.ts"]);
  assert.deepEqual(findTestFiles(root, ["vm"]), ["packages/vm/src/a.vm.test.ts"]);
});

test("shards are disjoint and together complete", () => {
  const files = ["a", "b", "c", "d", "e"];
  const shards = [1, 2, 3].map((index) => takeShard(files, index, 3));
  assert.deepEqual(shards, [["a", "d"], ["b", "e"], ["c"]]);
});
