import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { useTemporaryDirectory } from "@virga/testkit";
import { silentLogger, virgaCommand } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { idOf, sandboxRow, snapshotRow, testSpec } from "../../test/test-rows.ts";
import { Catalog } from "./catalog.ts";

async function testPath(t: TestContext): Promise<string> {
  return join(await useTemporaryDirectory(t), "catalog.sqlite");
}

async function testCatalog(t: TestContext): Promise<Catalog> {
  const catalog = Catalog.open(await testPath(t));
  t.after(() => catalog.close());
  return catalog;
}

test("rows are read as they were written, by this process and by the next", async (t) => {
  const path = await testPath(t);
  const owner = { pid: 5, startTime: "1", bootId: "b", pidNamespace: "pid:[1]" };
  const plain = sandboxRow("plain");
  const full = sandboxRow("full", {
    name: "web",
    phase: "suspended",
    pendingThaw: "thaw",
    parent: plain.id,
    snapshot: idOf("snapshot"),
    owner,
    suspended: 3,
    intent: { kind: "snapshot", snapshot: "s", wasPaused: true },
    createdAt: "2026-11-24T12:00:01.000Z",
  });
  const snapshot = snapshotRow("snapshot", { name: "web", kind: "fork", phase: "creating" });
  {
    using catalog = Catalog.open(path);
    catalog.sandboxes.insert(full);
    catalog.sandboxes.insert(plain);
    catalog.snapshots.insert(snapshot);
    assert.deepEqual(catalog.sandboxes.list(), [plain, full]);
  }
  using catalog = Catalog.open(path);
  assert.deepEqual(catalog.sandboxes.list(), [plain, full]);
  assert.deepEqual(catalog.sandboxes.get(full.id), full);
  assert.deepEqual(catalog.sandboxes.withIntent(), [full]);
  assert.deepEqual(catalog.snapshots.list(), [snapshot]);
  assert.deepEqual(catalog.snapshots.unfinished(), [snapshot]);
  catalog.sandboxes.delete(full.id);
  assert.equal(catalog.sandboxes.get(full.id), undefined);
});

test("a row is found by its id, its name, and the beginning of its id", async (t) => {
  const { sandboxes, snapshots } = await testCatalog(t);
  const [one, two] = [`i11${"a".repeat(17)}`, `i112${"b".repeat(16)}`];
  sandboxes.insert(sandboxRow("one", { id: one, name: "i112" }));
  sandboxes.insert(sandboxRow("two", { id: two }));
  assert.equal(sandboxes.find(one).id, one);
  assert.equal(sandboxes.find("i112").id, one, "a name comes before what an id begins with");
  assert.equal(sandboxes.find("i112b").id, two);
  assert.throws(() => sandboxes.find("i11"), {
    code: "INVALID_ARGUMENT",
    message: `"i11" stands for several sandboxes: ${two}, ${one} (i112)`,
  });
  for (const reference of ["i1", "", "_11", "%", "I112B", `${one}x`])
    assert.throws(() => sandboxes.find(reference), {
      code: "VM_NOT_FOUND",
      message: `VM not found: ${reference}`,
      hint: `See: ${virgaCommand("ls")}`,
    });
  assert.throws(() => snapshots.find(one), {
    code: "NOT_FOUND",
    message: `Snapshot not found: ${one}`,
  });
});

test("only an id's own beginning finds it, whatever is asked for", async (t) => {
  const { sandboxes } = await testCatalog(t);
  const ids = ["a", "b", "c", "d", "e"].map((word) => idOf(word));
  for (const id of ids) sandboxes.insert(sandboxRow("", { id }));
  const cut = fc.tuple(fc.constantFrom(...ids), fc.nat(20)).map(([id, end]) => id.slice(0, end));
  fc.assert(
    fc.property(fc.oneof(cut, fc.string(), fc.string({ unit: "binary" })), (reference) => {
      const expected = ids.filter((id) => id.startsWith(reference));
      if (reference.length >= 3 && expected.length === 1)
        assert.equal(sandboxes.find(reference).id, expected[0]);
      else assert.throws(() => sandboxes.find(reference), { name: "VirgaError" });
    }),
  );
});

test("a name is given once, and is free when its sandbox is gone", async (t) => {
  const { sandboxes, snapshots } = await testCatalog(t);
  sandboxes.insert(sandboxRow("one", { name: "web" }));
  snapshots.insert(snapshotRow("snapshot", { name: "web" }));
  const taken = {
    code: "VM_EXISTS",
    message: `There is a sandbox named "web" already: ${idOf("one")}`,
  };
  assert.throws(() => sandboxes.insert(sandboxRow("two", { name: "web" })), taken);
  sandboxes.insert(sandboxRow("two", { name: "other" }));
  assert.throws(() => sandboxes.update(idOf("two"), { name: "web" }), taken);
  assert.throws(() => sandboxes.update(idOf("two"), { name: "W" }), { code: "INVALID_ARGUMENT" });
  sandboxes.update(idOf("one"), { name: "web" });
  sandboxes.delete(idOf("one"));
  sandboxes.update(idOf("two"), { name: "web" });
  assert.equal(sandboxes.find("web").id, idOf("two"));
});

test("nothing but its end follows when a sandbox is being destroyed", async (t) => {
  const { sandboxes, snapshots } = await testCatalog(t);
  const id = idOf("one");
  sandboxes.insert(sandboxRow("one", { phase: "creating", intent: { kind: "create" } }));
  sandboxes.update(id, {});
  sandboxes.update(id, { phase: "destroying", intent: { kind: "destroy" } });
  assert.throws(() => sandboxes.update(id, { phase: "live", intent: null }), {
    code: "VM_DESTROYED",
  });
  sandboxes.update(id, { phase: "destroying" });
  assert.deepEqual(sandboxes.get(id)?.intent, { kind: "destroy" });
  sandboxes.delete(id);
  sandboxes.delete(id);
  assert.throws(() => sandboxes.update(id, { phase: "live" }), { code: "VM_DESTROYED" });
  snapshots.insert(snapshotRow("s", { phase: "removing" }));
  assert.throws(() => snapshots.update(idOf("s"), { phase: "ready" }), { code: "NOT_FOUND" });
});

test("a transaction is whole or nothing, also within another one", async (t) => {
  const catalog = await testCatalog(t);
  assert.throws(
    () =>
      catalog.transaction(() => {
        catalog.sandboxes.insert(sandboxRow("one"));
        catalog.transaction(() => catalog.sandboxes.insert(sandboxRow("two")));
        throw new Error("no");
      }),
    /^Error: no$/u,
  );
  assert.deepEqual(catalog.sandboxes.list(), []);
  assert.throws(
    () =>
      catalog.transaction(async () => {
        catalog.sandboxes.insert(sandboxRow("one"));
        await Promise.reject(new Error("later"));
      }),
    TypeError,
  );
  assert.deepEqual(catalog.sandboxes.list(), []);
  assert.equal(
    catalog.transaction(() => {
      catalog.sandboxes.insert(sandboxRow("one"));
      return 5;
    }),
    5,
  );
  assert.equal(catalog.sandboxes.list().length, 1);
});

test("a damaged row is set aside, and the others are used", async (t) => {
  const path = await testPath(t);
  const errors: unknown[] = [];
  const logger: Logger = { ...silentLogger, error: (fields) => errors.push(fields) };
  using catalog = Catalog.open(path, { logger });
  const good = sandboxRow("good");
  const damages: Record<string, string> = {
    spec: "'{'",
    phase: "'dead'",
    timings: `'{"boot":"long"}'`,
    suspended: "9223372036854775807",
    owner: `'{"pid":"1"}'`,
  };
  catalog.sandboxes.insert(good);
  for (const column of Object.keys(damages))
    catalog.sandboxes.insert(sandboxRow(column, { name: column }));
  catalog.snapshots.insert(snapshotRow("kind"));
  const database = new DatabaseSync(path);
  for (const [column, value] of Object.entries(damages))
    database.prepare(`UPDATE sandbox SET ${column} = ${value} WHERE id = ?`).run(idOf(column));
  database.exec("UPDATE snapshot SET kind = 'other'");
  database.close();

  assert.deepEqual(catalog.sandboxes.list(), [good]);
  assert.equal(catalog.snapshots.get(idOf("kind")), undefined);
  const found = catalog.damaged.list();
  assert.deepEqual(
    found.map(({ kind, id }) => `${kind} ${id}`),
    [
      ...Object.keys(damages)
        .map((column) => `sandbox ${idOf(column)}`)
        .toSorted(),
      `snapshot ${idOf("kind")}`,
    ],
  );
  assert.equal(errors.length, found.length);
  const phase = catalog.damaged.find("sandbox", "phase");
  assert.equal(phase?.reason, 'phase is "dead"');
  assert.ok(
    errors.some((fields) =>
      isDeepStrictEqual(fields, { kind: "sandbox", id: phase.id, reason: phase.reason }),
    ),
  );
  assert.deepEqual(JSON.parse(phase.content).spec, JSON.stringify(testSpec));
  assert.equal(catalog.damaged.find("snapshot", "phase"), undefined);
  // Met once: the next look finds only good ones, and the id can be used again.
  assert.equal(catalog.sandboxes.list().length, 1);
  assert.equal(errors.length, found.length);
  catalog.sandboxes.delete(phase.id);
  assert.equal(catalog.damaged.find("sandbox", phase.id), undefined);
});
