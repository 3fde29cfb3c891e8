import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { idOf, sandboxRow, snapshotRow, testSpec } from "../../test/test-rows.ts";
import { recordVm, testState } from "../../test/test-vms.ts";
import { inUseError, whoNeedsImage, whoNeedsSnapshot } from "./references.ts";
import { snapshotPaths } from "./snapshot-paths.ts";

test("a snapshot is needed by who is made of it, and by whose VM goes on from it", async (t) => {
  const tools = await testState(t);
  const snapshot = idOf("snapshot");
  const { sandboxes } = tools.catalog;
  sandboxes.insert(sandboxRow("making", { phase: "creating", snapshot }));
  sandboxes.insert(sandboxRow("running", { snapshot, name: "web" }));
  sandboxes.insert(sandboxRow("suspended", { phase: "suspended", snapshot }));
  sandboxes.insert(sandboxRow("other", { phase: "creating", snapshot: idOf("other snapshot") }));
  await recordVm(tools.home, idOf("running"), snapshotPaths(tools.home, snapshot).memory);
  await recordVm(tools.home, idOf("unknown"), snapshotPaths(tools.home, snapshot).memory);
  const users = await whoNeedsSnapshot(tools, snapshot);
  const sandbox = (word: string, name: string | null = null) =>
    ({ kind: "sandbox", id: idOf(word), name }) as const;
  assert.deepEqual(
    new Set(users),
    new Set([sandbox("making"), sandbox("running", "web"), sandbox("unknown")]),
  );
  assert.deepEqual(await whoNeedsSnapshot(tools, idOf("free")), []);
  const error = inUseError('snapshot "x"', [sandbox("running", "web"), sandbox("making")]);
  assert.equal(
    error.message,
    `Cannot remove snapshot "x": it is needed by sandbox web (${idOf("running")}), sandbox ${idOf("making")}`,
  );
});

test("an image is needed by sandboxes and snapshots of it, damaged ones included", async (t) => {
  const { catalog, home } = await testState(t);
  const digest = `sha256:${"a".repeat(64)}`;
  const spec = { ...testSpec, imageDigest: digest };
  catalog.sandboxes.insert(sandboxRow("one", { spec, name: "one" }));
  catalog.sandboxes.insert(sandboxRow("damaged", { spec }));
  catalog.sandboxes.insert(sandboxRow("other"));
  catalog.snapshots.insert(snapshotRow("snapshot", { spec }));
  const database = new DatabaseSync(home.catalog);
  database.prepare("UPDATE sandbox SET phase = '?' WHERE id = ?").run(idOf("damaged"));
  database.close();
  assert.deepEqual(whoNeedsImage(catalog, digest), [
    { kind: "sandbox", id: idOf("one"), name: "one" },
    { kind: "snapshot", id: idOf("snapshot"), name: null },
    { kind: "sandbox", id: idOf("damaged"), name: null },
  ]);
  assert.deepEqual(whoNeedsImage(catalog, `sha256:${"b".repeat(64)}`), []);
});
