import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { CatalogConnection } from "./connection.ts";

async function testConnection(t: TestContext): Promise<[CatalogConnection, string]> {
  const directory = await useTemporaryDirectory(t);
  return [new CatalogConnection(join(directory, "catalog.sqlite")), directory];
}

const INSERT = "INSERT INTO damaged VALUES ('sandbox', ?, NULL, '', '', '')";
const files = (directory: string): string[] =>
  readdirSync(directory).filter((name) => !name.endsWith(".lock"));

test("the file is closed when it is not used, and opened by the next use", async (t) => {
  const [connection, directory] = await testConnection(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  connection.close();
  for (const id of ["a", "b"]) {
    assert.equal(connection.run(INSERT, [id]), 1);
    t.mock.timers.tick(90);
    assert.equal(connection.all("SELECT id FROM damaged", []).length, id === "a" ? 1 : 2);
    t.mock.timers.tick(90);
    assert.ok(files(directory).includes("catalog.sqlite-wal"), "used a moment ago");
    t.mock.timers.tick(10);
    assert.deepEqual(files(directory), ["catalog.sqlite"]);
  }
});

test("a transaction that fails leaves nothing, and the next one works", async (t) => {
  const [connection] = await testConnection(t);
  const fail = (): void =>
    connection.transaction(() => {
      connection.run(INSERT, ["a"]);
      throw new Error("no");
    });
  assert.throws(fail, /^Error: no$/u);
  connection.transaction(() => connection.transaction(() => connection.run(INSERT, ["b"])));
  assert.deepEqual(connection.all("SELECT id FROM damaged", []), [{ id: "b" }]);
  connection.close();
});

test("a durable transaction waits for the disk, and only that one", async (t) => {
  const [connection] = await testConnection(t);
  const level = (): unknown => connection.all("PRAGMA synchronous", [])[0]?.["synchronous"];
  const [NORMAL, FULL] = [1, 2];
  assert.equal(connection.transaction(level), NORMAL);
  assert.equal(connection.transaction(level, { durable: true }), FULL);
  assert.equal(level(), NORMAL);
  const fail = (): void => {
    assert.equal(level(), FULL);
    throw new Error("no");
  };
  assert.throws(() => connection.transaction(fail, { durable: true }), /^Error: no$/u);
  assert.equal(connection.transaction(level), NORMAL);
  const inner = (): unknown => connection.transaction(level, { durable: true });
  assert.throws(() => connection.transaction(inner), TypeError);
  connection.close();
});

test("numbers that JavaScript cannot hold are given as text", async (t) => {
  const [connection] = await testConnection(t);
  const [row] = connection.all("SELECT 9223372036854775807 AS large, 5 AS small", []);
  assert.deepEqual(row, { large: "9223372036854775807", small: 5 });
  assert.throws(() => connection.all("SELECT absent", []), {
    code: "IO_ERROR",
    message: /no such column/u,
  });
  connection.close();
});
