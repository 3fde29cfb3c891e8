import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const tool = fileURLToPath(new URL("run-tests.ts", import.meta.url));

function runTests(...args: string[]) {
  return spawnSync(process.execPath, [tool, ...args], { encoding: "utf8" });
}

test("a filter that matches no file is a failure", () => {
  const { status, stdout } = runTests("fast", "no-such-file");
  assert.equal(status, 1);
  assert.match(stdout, /^FAIL no test ran \(tier fast, filters: no-such-file\)$/mu);
});

test("a shard may be empty", () => {
  const { status, stdout } = runTests("fast", "--shard", "1000000/1000000");
  assert.equal(stdout, "0 passed, 0 failed, 0 skipped\n");
  assert.equal(status, 0);
});

test("an unknown tier and an impossible shard are usage errors", () => {
  assert.equal(runTests("slow").status, 2);
  for (const shard of ["0/2", "3/2", "1", "a/b"]) {
    assert.equal(runTests("fast", "--shard", shard).status, 2, shard);
  }
});
