import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@virga/vm";
import { idOf, sandboxRow } from "../../test/test-rows.ts";
import { testState } from "../../test/test-vms.ts";
import { thisOwner } from "../owners/owner-alive.ts";
import { lightTools } from "./access.ts";
import { recoverSandboxes } from "./recover-sandboxes.ts";

test("a sandbox that was kept after the list was read is left alone", async (t) => {
  const { home } = await testState(t);
  const tools = lightTools(home, silentLogger);
  const { catalog } = tools;
  const owner = { ...thisOwner(), startTime: "1" };
  const [first, second] = ["one", "two"].map((word) =>
    sandboxRow(word, { owner, phase: "creating", intent: { kind: "create" } }),
  );
  assert.ok(first && second);
  for (const row of [first, second]) catalog.sandboxes.insert(row);
  // While the first is removed, the maker of the second commits it.
  const kept = { owner: null, phase: "live", intent: null } as const;
  const remove = catalog.sandboxes.delete.bind(catalog.sandboxes);
  t.mock.method(catalog.sandboxes, "delete", (id: string) => {
    remove(id);
    const other = id === first.id ? second.id : first.id;
    if (catalog.sandboxes.get(other)) catalog.sandboxes.update(other, kept);
  });
  const gone = await recoverSandboxes(tools);
  assert.equal(gone.length, 1);
  const [row, ...others] = catalog.sandboxes.list();
  assert.deepEqual(others, []);
  assert.deepEqual({ ...row }, { ...(row?.id === first.id ? first : second), ...kept });
});

test("a sandbox whose owner lets go of it and dies while he is looked at is left alone", async (t) => {
  const { home } = await testState(t);
  const tools = lightTools(home, silentLogger);
  const { catalog } = tools;
  const owner = { ...thisOwner(), startTime: "1" };
  catalog.sandboxes.insert(sandboxRow("one", { owner }));
  const mock = t.mock.method(catalog, "transaction", (body: () => boolean) => {
    mock.mock.restore();
    catalog.sandboxes.update(idOf("one"), { owner: null });
    return catalog.transaction(body);
  });
  assert.deepEqual(await recoverSandboxes(tools), []);
  assert.equal(catalog.sandboxes.get(idOf("one"))?.phase, "live");
});
