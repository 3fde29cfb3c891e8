import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { logTail } from "./log-tail.ts";

test("a pipe in the log's place holds nobody up", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-log-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "log");
  execFileSync("mkfifo", [path]);
  assert.equal(await logTail(path), "");
});

test("the tail is at most 4 KiB, printable, and empty without a log", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-log-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "log");
  assert.equal(await logTail(path), "");
  await writeFile(path, `${"x".repeat(10_000)}\u001b[31mend\n`);
  const tail = await logTail(path);
  assert.equal(tail.length, 4096);
  assert.ok(tail.endsWith("�[31mend\n"));
});
