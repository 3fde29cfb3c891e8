import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { readRecord } from "./record.ts";

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
