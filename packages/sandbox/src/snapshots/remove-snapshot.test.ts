import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { silentLogger, tryLock } from "@virga/vm";
import type { SnapshotRow } from "../catalog/rows.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { idOf, sandboxRow, snapshotRow } from "../../test/test-rows.ts";
import { recordVm, testState } from "../../test/test-vms.ts";
import { recoverSnapshots } from "./recover-snapshots.ts";
import { removeSnapshot } from "./remove-snapshot.ts";
import { snapshotPaths } from "./snapshot-paths.ts";

async function testTools(t: TestContext) {
  const tools = { ...(await testState(t)), logger: silentLogger };
  const { catalog, home } = tools;
  /** A snapshot with files, and its row. */
  const add = async (word: string, change: Partial<SnapshotRow> = {}): Promise<SnapshotRow> => {
    const row = snapshotRow(word, change);
    catalog.snapshots.insert(row);
    const paths = snapshotPaths(home, row.id);
    await mkdir(paths.memory, { recursive: true });
    await writeFile(paths.upper, "disk");
    return row;
  };
  const isThere = ({ id }: SnapshotRow): boolean => {
    const files = existsSync(snapshotPaths(home, id).directory);
    assert.equal(catalog.snapshots.get(id) !== undefined, files, "row and files go together");
    return files;
  };
  return { ...tools, tools, add, isThere };
}

test("a snapshot goes with its files, unless somebody needs it", async (t) => {
  const { tools, catalog, home, add, isThere } = await testTools(t);
  const row = await add("one", { name: "base" });
  catalog.sandboxes.insert(sandboxRow("clone", { phase: "creating", snapshot: row.id }));
  const inUse = { code: "IN_USE", message: /^Cannot remove snapshot "base": it is needed by / };
  await assert.rejects(removeSnapshot(tools, row), inUse);
  catalog.sandboxes.update(idOf("clone"), { phase: "live" });
  await recordVm(home, idOf("clone"), snapshotPaths(home, row.id).memory);
  await assert.rejects(removeSnapshot(tools, row), inUse);
  assert.equal(catalog.snapshots.get(row.id)?.phase, "ready");
  assert.ok(isThere(row));
  const other = await add("two");
  await removeSnapshot(tools, other);
  assert.ok(!isThere(other));
});

test("a sandbox that is made of a snapshot while that is removed keeps it", async (t) => {
  const { tools, catalog, add, isThere } = await testTools(t);
  const row = await add("one");
  // Between the look at who needs it and the mark: the clone is begun and whole by then.
  const mock = t.mock.method(catalog, "transaction", (body: () => void) => {
    mock.mock.restore();
    catalog.sandboxes.insert(sandboxRow("clone", { snapshot: row.id }));
    catalog.transaction(body);
  });
  await assert.rejects(removeSnapshot(tools, row), { code: "IN_USE" });
  assert.ok(isThere(row));
  assert.equal(catalog.snapshots.get(row.id)?.phase, "ready");
});

test("one that is being taken is left to its maker, one whose maker died is removed", async (t) => {
  const { tools, catalog, home, add, isThere } = await testTools(t);
  const row = await add("one", { phase: "creating" });
  const { directory, lock } = sandboxPaths(home, row.sandbox);
  const intent = { kind: "snapshot", snapshot: row.id, wasPaused: false } as const;
  catalog.sandboxes.insert(sandboxRow("sandbox of one", { intent }));
  await mkdir(directory, { recursive: true });
  const held = tryLock(lock);
  assert.ok(held);
  await assert.rejects(removeSnapshot(tools, row), {
    code: "INVALID_STATE",
    message: `Cannot remove snapshot "${row.id}": it is being taken`,
  });
  assert.deepEqual(await recoverSnapshots(tools), []);
  assert.ok(isThere(row));
  held.release();
  assert.deepEqual(await recoverSnapshots(tools), [row.id]);
  assert.ok(!isThere(row));
});

test("recovery removes what is half there and what forks left, and nothing else", async (t) => {
  const { tools, catalog, home, add, isThere } = await testTools(t);
  const whole = await add("whole");
  const removing = await add("removing", { phase: "removing" });
  const orphan = await add("orphan", { phase: "creating" });
  const idle = await add("idle fork", { kind: "fork" });
  const used = await add("used fork", { kind: "fork" });
  const mapped = await add("mapped fork", { kind: "fork" });
  catalog.sandboxes.insert(sandboxRow("clone", { snapshot: used.id }));
  await recordVm(home, idOf("without a row"), snapshotPaths(home, mapped.id).memory);
  const gone = await recoverSnapshots(tools);
  assert.deepEqual(new Set(gone), new Set([removing.id, orphan.id, idle.id]));
  assert.deepEqual([whole, used, mapped].map(isThere), [true, true, true]);
  assert.deepEqual([removing, orphan, idle].map(isThere), [false, false, false]);
  assert.deepEqual(await recoverSnapshots(tools), []);
});

test("one that its maker finished after the look at it stays", async (t) => {
  const { tools, catalog, add, isThere } = await testTools(t);
  const row = await add("one", { phase: "creating" });
  // Its row is read, nobody is at it any more, and then it is found to be whole.
  catalog.snapshots.update(row.id, { phase: "ready" });
  await assert.rejects(removeSnapshot(tools, row), { code: "INVALID_STATE" });
  t.mock.method(catalog.snapshots, "unfinished", () => [row]);
  assert.deepEqual(await recoverSnapshots(tools), []);
  assert.ok(isThere(row));
  assert.equal(catalog.snapshots.get(row.id)?.phase, "ready");
});
