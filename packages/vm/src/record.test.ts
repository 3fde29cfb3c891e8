import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pausedMark } from "./directory.ts";
import { RecordReader, readRecord, recordPaused } from "./record.ts";
import { writeFileAtomic } from "./write-file-atomic.ts";

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

test("a record that is read again follows each change of it and of its mark", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-record-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "vm.json");
  const reader = new RecordReader(path);
  assert.equal(await reader.read(), undefined);
  const write = (uuid: string, state = "running"): Promise<void> =>
    writeFileAtomic(path, JSON.stringify({ ...record, uuid, state }), { durable: false });
  await write("u");
  const parse = t.mock.method(JSON, "parse");
  assert.deepEqual(await reader.read(), await readRecord(path));
  parse.mock.resetCalls();
  recordPaused(directory, true);
  assert.equal((await reader.read())?.state, "paused");
  recordPaused(directory, false);
  assert.equal((await reader.read())?.state, "running");
  assert.equal(parse.mock.callCount(), 0);
  // As long as the one before, and at once.
  await write("v");
  assert.equal((await reader.read())?.uuid, "v");
  await write("v", "creating");
  assert.equal((await reader.read())?.state, "creating");
  await writeFile(path, "damaged");
  await assert.rejects(reader.read(), { code: "VM_NOT_OURS" });
  await assert.rejects(reader.read(), { code: "VM_NOT_OURS" });
  await rm(path);
  assert.equal(await reader.read(), undefined);
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
