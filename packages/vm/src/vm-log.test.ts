import assert from "node:assert/strict";
import { appendFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { OUTPUT_BYTES, makeOutputFile } from "./output-file.ts";
import { readVmLog } from "./vm-log.ts";

async function useLog(t: TestContext): Promise<{ directory: string; path: string }> {
  const directory = join(await useTemporaryDirectory(t), "vm");
  await mkdir(join(directory, "run"), { recursive: true });
  return { directory, path: join(directory, "run", "console.log") };
}

async function textOf(pieces: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString("utf8");
}

test("a log is read whole, and one that is not there is empty", async (t) => {
  const { directory, path } = await useLog(t);
  assert.equal(await textOf(readVmLog(directory, "console")), "");
  assert.equal(await textOf(readVmLog(directory, "console", { follow: true })), "");
  const long = "0123456789\n".repeat(20_000);
  await writeFile(path, long);
  assert.equal(await textOf(readVmLog(directory, "console")), long);
  assert.equal(await textOf(readVmLog(directory, "hypervisor")), "");
  assert.equal(await textOf(readVmLog(directory, "console", { lastBytes: 13 })), long.slice(-13));
  assert.equal(await textOf(readVmLog(directory, "console", { lastBytes: 10 ** 9 })), long);
});

test("the hole that a log begins with is not read", async (t) => {
  const { directory, path } = await useLog(t);
  makeOutputFile(path, 1024 * OUTPUT_BYTES);
  const followed = readVmLog(directory, "console", { follow: true });
  const first = followed.next();
  await appendFile(path, "first line\n");
  assert.equal(String((await first).value), "first line\n");
  await followed.return(undefined);
  for (const lastBytes of [2 ** 20, undefined]) {
    const options = lastBytes === undefined ? {} : { lastBytes };
    assert.equal(await textOf(readVmLog(directory, "console", options)), "first line\n");
  }
});

test("what is added is followed until the log is removed, or the signal", async (t) => {
  const { directory, path } = await useLog(t);
  await writeFile(path, "one ");
  const followed = readVmLog(directory, "console", { follow: true });
  assert.equal(String((await followed.next()).value), "one ");
  await appendFile(path, "two ");
  assert.equal(String((await followed.next()).value), "two ");
  await rm(directory, { recursive: true });
  assert.deepEqual(await followed.next(), { value: undefined, done: true });

  await mkdir(join(directory, "run"), { recursive: true });
  await writeFile(path, "x");
  const controller = new AbortController();
  const endless = readVmLog(directory, "console", { follow: true, signal: controller.signal });
  await endless.next();
  const ending = endless.next();
  controller.abort();
  assert.deepEqual(await ending, { value: undefined, done: true });
});

test("a link in its place leads nowhere", async (t) => {
  const { directory, path } = await useLog(t);
  await symlink("/etc/passwd", path);
  await assert.rejects(textOf(readVmLog(directory, "console")), { code: "IO_ERROR" });
});
