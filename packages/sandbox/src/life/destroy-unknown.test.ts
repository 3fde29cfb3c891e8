import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { silentLogger } from "@virga/vm";
import { idOf, sandboxRow, snapshotRow } from "../../test/test-rows.ts";
import { testState } from "../../test/test-vms.ts";
import { ownVm } from "../owners/owner-record.ts";
import { upperPath } from "../sandbox-disks.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { Sandbox } from "../sandbox.ts";
import { lightTools } from "./access.ts";
import { destroyUnknown } from "./destroy-unknown.ts";

test("the snapshot of a fork goes with its last clone, also when the clone's row is damaged", async (t) => {
  const { home, catalog } = await testState(t);
  for (const word of ["fork", "other"])
    catalog.snapshots.insert(snapshotRow(word, { kind: "fork" }));
  catalog.sandboxes.insert(sandboxRow("damaged", { snapshot: idOf("fork") }));
  catalog.sandboxes.insert(sandboxRow("whole", { snapshot: idOf("other") }));
  const database = new DatabaseSync(home.catalog);
  database.prepare("UPDATE sandbox SET spec = '?' WHERE id = ?").run(idOf("damaged"));
  database.close();
  assert.equal(catalog.sandboxes.get(idOf("damaged")), undefined);
  const tools = lightTools(home, silentLogger);
  t.after(() => tools.catalog.close());
  assert.equal(await destroyUnknown(tools, idOf("damaged")), idOf("damaged"));
  assert.deepEqual(
    catalog.snapshots.list().map(({ id }) => id),
    [idOf("other")],
  );
});

test("a sandbox whose row is damaged or lost is destroyed; what is known or owned is not", async (t) => {
  const { home, catalog } = await testState(t);
  const words = ["damaged", "lost", "known", "owned"];
  for (const word of words) {
    await writeFile(upperPath(home, idOf(word)), "disk");
    await mkdir(sandboxPaths(home, idOf(word)).directory);
  }
  for (const word of ["damaged", "known"]) catalog.sandboxes.insert(sandboxRow(word));
  await ownVm(home, idOf("owned"), "template");
  const database = new DatabaseSync(home.catalog);
  database.prepare("UPDATE sandbox SET spec = '?' WHERE id = ?").run(idOf("damaged"));
  database.close();
  await assert.rejects(Sandbox.connect(idOf("damaged"), { home }), { code: "VM_NOT_FOUND" });

  const tools = lightTools(home, silentLogger);
  t.after(() => tools.catalog.close());
  for (const reference of [idOf("known"), idOf("owned"), idOf("nothing"), "../vms", ""]) {
    assert.equal(await destroyUnknown(tools, reference), undefined, reference);
  }
  assert.equal(await destroyUnknown(tools, idOf("lost")), idOf("lost"));
  assert.equal(catalog.damaged.list().length, 1);
  assert.equal(await Sandbox.destroyUnknown(idOf("damaged"), { home }), idOf("damaged"));
  assert.deepEqual(catalog.damaged.list(), []);
  for (const word of words) {
    const isLeft = word === "known" || word === "owned";
    assert.equal(existsSync(upperPath(home, idOf(word))), isLeft, word);
    assert.equal(existsSync(sandboxPaths(home, idOf(word)).directory), isLeft, word);
  }
  assert.equal(await destroyUnknown(tools, idOf("lost")), undefined, "it is gone");
});
