import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sandboxRow, snapshotRow } from "../../test/test-rows.ts";
import { testState } from "../../test/test-vms.ts";
import { thisOwner } from "../owners/owner-alive.ts";
import { openAccess } from "./access.ts";

test("whoever opens access finds nothing that died with its process", async (t) => {
  const { home, catalog } = await testState(t);
  const dead = { ...thisOwner(), startTime: "1" };
  catalog.sandboxes.insert(sandboxRow("kept"));
  catalog.sandboxes.insert(sandboxRow("alive", { owner: thisOwner() }));
  catalog.sandboxes.insert(sandboxRow("dead", { owner: dead }));
  catalog.snapshots.insert(snapshotRow("whole"));
  catalog.snapshots.insert(snapshotRow("half", { phase: "removing" }));
  const access = await openAccess({ home });
  const ids = (rows: { id: string }[]): string[] => rows.map(({ id }) => id).toSorted();
  assert.deepEqual(ids(access.catalog.sandboxes.list()), [idOf("kept"), idOf("alive")].toSorted());
  assert.deepEqual(ids(access.catalog.snapshots.list()), [idOf("whole")]);
});
