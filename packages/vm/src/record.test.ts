import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pausedMark } from "./directory.ts";
import { readRecord, recordPaused } from "./record.ts";

const record = {
  format: 1,
  id: "a",
  phase: "ready",
  config: { timeouts: { callMs: 7 } },
  build: {},
  uuid: "u",
  isolated: true,
};

test("a record of an earlier version gets the deadlines it lacks, and keeps its own", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-record-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "vm.json");
  assert.equal(await readRecord(path), undefined);
  await writeFile(path, JSON.stringify(record));
  const timeouts = (await readRecord(path))?.config.timeouts;
  assert.equal(timeouts?.callMs, 7);
  assert.ok(Number.isSafeInteger(timeouts?.lockMs));
  for (const damage of [
    { config: null },
    { build: null },
    { process: { pid: 1 } },
    { format: 2 },
  ]) {
    await writeFile(path, JSON.stringify({ ...record, ...damage }));
    await assert.rejects(readRecord(path), { code: "VM_NOT_OURS" });
  }
});

test("that a VM is paused is told beside its record, and only of a VM that runs", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-record-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "vm.json");
  const stateOf = async (state: string): Promise<string | undefined> => {
    await writeFile(path, JSON.stringify({ ...record, state }));
    return (await readRecord(path))?.state;
  };
  assert.equal(await stateOf("running"), "running");
  recordPaused(directory, true);
  recordPaused(directory, true);
  assert.equal(await stateOf("running"), "paused");
  assert.equal(await stateOf("creating"), "creating");
  recordPaused(directory, false);
  recordPaused(directory, false);
  assert.equal(await stateOf("running"), "running");
  // Of an earlier version.
  assert.equal(await stateOf("paused"), "running");
});

test("a mark that cannot be written is told of as one of Virga's errors", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-record-"));
  t.after(() => rm(directory, { recursive: true }));
  await mkdir(pausedMark(directory));
  assert.throws(() => recordPaused(directory, true), {
    code: "IO_ERROR",
    message: /Cannot record in .* whether the VM is paused/,
  });
});
