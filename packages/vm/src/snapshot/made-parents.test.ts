import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { firstMissingParent, removeMadeParents } from "./made-parents.ts";

test("the uppermost missing parent is found", async (t) => {
  const top = await useTemporaryDirectory(t);
  assert.equal(await firstMissingParent(join(top, "file")), undefined);
  assert.equal(await firstMissingParent(join(top, "a", "file")), join(top, "a"));
  assert.equal(await firstMissingParent(join(top, "a", "b", "c", "file")), join(top, "a"));
  assert.equal(await firstMissingParent("/"), undefined);
});

test("empty parents are removed up to the one named, and not beyond", async (t) => {
  const top = await useTemporaryDirectory(t);
  mkdirSync(join(top, "kept", "a", "b"), { recursive: true });
  await removeMadeParents(
    join(top, "kept", "a", "b", "never-made", "file"),
    join(top, "kept", "a"),
  );
  assert.deepEqual(readdirSync(join(top, "kept")), []);
});

test("a parent in which somebody put something stays", async (t) => {
  const top = await useTemporaryDirectory(t);
  mkdirSync(join(top, "a", "b", "c"), { recursive: true });
  writeFileSync(join(top, "a", "b", "note"), "mine");
  await removeMadeParents(join(top, "a", "b", "c", "file"), join(top, "a"));
  assert.deepEqual(readdirSync(join(top, "a", "b")), ["note"]);
});

test("nothing is removed for a top that is not above the path", async (t) => {
  const top = await useTemporaryDirectory(t);
  mkdirSync(join(top, "a", "b"), { recursive: true });
  await removeMadeParents(join(top, "a", "b", "file"), join(top, "a", "bee"));
  await removeMadeParents(join(top, "a", "b", "file"), "a");
  assert.ok(existsSync(join(top, "a", "b")));
});
