import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { virgaCommand } from "@virga/vm";
import { idOf, sandboxRow, snapshotRow } from "../../test/test-rows.ts";
import { recordVm, testState } from "../../test/test-vms.ts";
import { snapshotPaths } from "./snapshot-paths.ts";
import { Snapshots } from "./snapshots.ts";

test("snapshots are listed with their sizes, told with who needs them, and removed", async (t) => {
  const { catalog, home } = await testState(t);
  const row = snapshotRow("one", { name: "base" });
  catalog.snapshots.insert(row);
  const paths = snapshotPaths(home, row.id);
  await mkdir(paths.memory, { recursive: true });
  await writeFile(join(paths.memory, "memory"), "m");
  await truncate(join(paths.memory, "memory"), 2 ** 28);
  const snapshots = new Snapshots({ home });
  const [info] = await snapshots.list();
  assert.equal(info?.name, "base");
  assert.equal(info.apparentBytes, 2 ** 28);
  assert.ok(info.realBytes > 0 && info.realBytes < 2 ** 20);
  catalog.sandboxes.insert(sandboxRow("clone", { snapshot: row.id, name: "web" }));
  await recordVm(home, idOf("clone"), paths.memory);
  assert.deepEqual((await snapshots.info("base")).users, [
    { kind: "sandbox", id: idOf("clone"), name: "web" },
  ]);
  await assert.rejects(snapshots.remove("base"), { code: "IN_USE" });
  const free = snapshotRow("two");
  catalog.snapshots.insert(free);
  assert.equal(await snapshots.remove(free.id.slice(0, 8)), free.id);
  await assert.rejects(snapshots.remove(free.id), {
    code: "NOT_FOUND",
    message: `Snapshot not found: ${free.id}`,
    hint: `See: ${virgaCommand("snapshot ls")}`,
  });
});

test("a snapshot whose row is damaged or lost is still removed", async (t) => {
  const { catalog, home } = await testState(t);
  catalog.snapshots.insert(snapshotRow("damaged", { name: "base" }));
  const database = new DatabaseSync(home.catalog);
  database.exec("UPDATE snapshot SET phase = '?'");
  database.close();
  for (const word of ["damaged", "lost"])
    await mkdir(snapshotPaths(home, idOf(word)).memory, { recursive: true });
  const snapshots = new Snapshots({ home });
  assert.equal(await snapshots.remove("base"), idOf("damaged"));
  assert.equal(await snapshots.remove(idOf("lost")), idOf("lost"));
  for (const word of ["damaged", "lost"])
    assert.ok(!existsSync(snapshotPaths(home, idOf(word)).directory), word);
  assert.deepEqual(catalog.damaged.list(), []);
  await assert.rejects(snapshots.remove("../../etc"), { code: "NOT_FOUND" });
});
