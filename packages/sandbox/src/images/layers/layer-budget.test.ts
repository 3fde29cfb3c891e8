import assert from "node:assert/strict";
import { test } from "node:test";
import { LayerBudget } from "./layer-budget.ts";

const none = new Map<string, string>();

test("more entries than any image has are refused", () => {
  const budget = new LayerBudget();
  const entry = { path: "x", target: "", xattrs: none };
  for (let count = 0; count < 5_000_000; count++) budget.add(entry);
  assert.throws(() => budget.add(entry), { code: "IO_ERROR", message: /more than 5000000 files/ });
});

test("names and attributes are counted by their bytes, over all layers", () => {
  const mebibyte = "v".repeat(2 ** 20);
  const budget = new LayerBudget();
  for (let count = 0; count < 256; count++) {
    budget.add({ path: "", target: "", xattrs: new Map([["", mebibyte]]) });
    budget.add({ path: mebibyte.slice(1), target: "t", xattrs: none });
  }
  assert.throws(() => budget.add({ path: "x", target: "", xattrs: none }), {
    code: "IO_ERROR",
    message: /names and attributes take more than 536870912 bytes/,
  });
});
