import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { homePaths, openHome } from "@virga/sandbox";
import { pythonMissing, useTemporaryDirectory } from "@virga/testkit";
import { Catalog } from "../../sandbox/src/catalog/catalog.ts";
import { sandboxRow } from "../../sandbox/test/test-rows.ts";
import { virgaIn } from "./test-virga.ts";

const helper = fileURLToPath(new URL("terminal-record.py", import.meta.url));
const QUESTION = "Remove all 2 sandboxes, with what they hold?";

test("rm --all asks on a terminal, and only yes removes", { skip: pythonMissing() }, async (t) => {
  const { argv, env } = virgaIn(join(await useTemporaryDirectory(t), "home"));
  const home = await openHome(homePaths({ env, uid: 0, userHome: "/" }));
  using catalog = Catalog.open(home.catalog);
  for (const [index, name] of ["one", "two"].entries()) {
    const createdAt = new Date(index).toISOString();
    catalog.sandboxes.insert(sandboxRow(name, { name, createdAt }));
  }
  const answer = (keys: string): { readonly seen: string; readonly code: number } => {
    const words = [helper, "--when", QUESTION, keys, ...argv, "rm", "--all"];
    const end = spawnSync("python3", words, { encoding: "utf8", env });
    assert.equal(end.status, 0, end.stderr);
    return JSON.parse(end.stdout);
  };
  const names = (): (string | null)[] => catalog.sandboxes.list().map(({ name }) => name);
  for (const [keys, code] of [
    ["\r", 125],
    ["n", 125],
    ["\u0003", 130],
  ] as const) {
    assert.equal(answer(keys).code, code, JSON.stringify(keys));
    assert.deepEqual(names(), ["one", "two"]);
  }
  const yes = answer("y");
  assert.equal(yes.code, 0, yes.seen);
  assert.match(yes.seen, /one\r\ntwo\r\n$/);
  assert.deepEqual(names(), []);
});
