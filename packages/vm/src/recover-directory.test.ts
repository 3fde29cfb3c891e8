import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { TestContext } from "node:test";
import { tryLock } from "./lock.ts";
import { silentLogger } from "./logger.ts";
import { recoverDirectory } from "./recover-directory.ts";

async function vmDirectory(t: TestContext): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "virga-recover-"));
  t.after(() => rm(work, { recursive: true }));
  const directory = join(work, "a");
  await mkdir(directory);
  return directory;
}

test("a directory without a record is what a killed create left", async (t) => {
  const directory = await vmDirectory(t);
  await mkdir(join(directory, "run"));
  assert.equal(await recoverDirectory(directory, silentLogger), "removed");
  assert.equal(existsSync(directory), false);
});

test("a directory somebody works in is left to them", async (t) => {
  const directory = await vmDirectory(t);
  const lock = tryLock(join(directory, "lock.db"));
  assert.equal(await recoverDirectory(directory, silentLogger), "busy");
  lock?.release();
});

test("a directory with files of others, or a record of another version, is untouched", async (t) => {
  const directory = await vmDirectory(t);
  await writeFile(join(directory, "thesis.txt"), "x");
  assert.equal(await recoverDirectory(directory, silentLogger), "foreign");
  assert.deepEqual(await readdir(directory), ["thesis.txt"]);
  await rm(join(directory, "thesis.txt"));
  await writeFile(join(directory, "vm.json"), '{"format":99}');
  assert.equal(await recoverDirectory(directory, silentLogger), "foreign");
  assert.ok(existsSync(join(directory, "vm.json")));
});

test("an interrupted snapshot's temporary directory is removed, and only such a one", async (t) => {
  const directory = await vmDirectory(t);
  const parent = join(directory, "..");
  for (const name of [".snap.virga-0a1b2c", "precious"]) {
    await mkdir(join(parent, name));
    await writeFile(
      join(directory, "intent.json"),
      JSON.stringify({ operation: "snapshot", temporary: join(parent, name) }),
    );
    await recoverDirectory(directory, silentLogger);
    await mkdir(directory);
  }
  assert.equal(existsSync(join(parent, ".snap.virga-0a1b2c")), false);
  assert.equal(existsSync(join(parent, "precious")), true);
});
