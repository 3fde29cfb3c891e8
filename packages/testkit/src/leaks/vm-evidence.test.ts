import assert from "node:assert/strict";
import { appendFile, mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "../temporary.ts";
import { vmEvidence } from "./vm-evidence.ts";

test("what VMs left is told, without what would drive a terminal", async (t) => {
  const root = await useTemporaryDirectory(t);
  assert.equal(vmEvidence(root), "");
  const run = join(root, "x/home/vms/one/run");
  await mkdir(run, { recursive: true });
  await writeFile(join(run, "..", "vm.json"), `{"process":{"pid":${process.pid}}}`);
  await writeFile(join(run, "console.log"), "");
  await truncate(join(run, "console.log"), 2 ** 40);
  await appendFile(join(run, "console.log"), `${"x".repeat(3_000)}\u001b[2Jlast words\r\n`);
  const told = vmEvidence(root);
  assert.match(told, /^VM one\n {2}record: \{"process"/u);
  assert.match(told, /command line: .*node/u);
  assert.match(told, /console: x+\[2Jlast words\n {2}log: \(none\)\n$/u);
  assert.ok(told.length < 4_000);
});
