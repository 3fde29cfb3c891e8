import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { homePaths, openHome } from "@virga/sandbox";
import { pythonMissing, useTemporaryDirectory } from "@virga/testkit";
import { Catalog } from "../../sandbox/src/catalog/catalog.ts";
import { sandboxRow } from "../../sandbox/test/test-rows.ts";
import { recordTerminal } from "./terminal-record.ts";
import type { TerminalRecord } from "./terminal-record.ts";
import { virgaIn } from "./test-virga.ts";

const QUESTION = "Remove all 2 sandboxes, with what they hold?";

test("rm --all asks on a terminal, and only yes removes", { skip: pythonMissing() }, async (t) => {
  const { argv, env } = virgaIn(join(await useTemporaryDirectory(t), "home"));
  const home = await openHome(homePaths({ env, uid: 0, userHome: "/" }));
  using catalog = Catalog.open(home.catalog);
  for (const [index, name] of ["one", "two"].entries()) {
    const createdAt = new Date(index).toISOString();
    catalog.sandboxes.insert(sandboxRow(name, { name, createdAt }));
  }
  const answer = (keys: string): TerminalRecord =>
    recordTerminal([...argv, "rm", "--all"], { env, answer: { when: QUESTION, keys } });
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
