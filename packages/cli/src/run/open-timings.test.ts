import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Timings } from "@virga/sandbox";
import { useTemporaryDirectory } from "@virga/testkit";
import { openTimings } from "./open-timings.ts";

test("a file is emptied at once and gets one line", async (t) => {
  const file = join(await useTemporaryDirectory(t), "file");
  await writeFile(file, "of an earlier run");
  const write = await openTimings(file);
  assert.equal(await readFile(file, "utf8"), "");
  const timings = new Timings();
  timings.add("create", 12);
  await write(timings);
  assert.equal(await readFile(file, "utf8"), '{"create":12}\n');
});

test("a place that cannot be opened, or takes nothing, is named", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const code = "IO_ERROR";
  await assert.rejects(openTimings(directory), { code, message: /to \/.*: EISDIR/ });
  const write = await openTimings("/dev/full");
  await assert.rejects(write(new Timings()), { code, message: /to \/dev\/full: ENOSPC/ });
});
