import assert from "node:assert/strict";
import { test } from "node:test";
import { feedList, listCorpus } from "./list-parser.ts";
import { fuzzList } from "./run.ts";

test("each list of the corpus comes as far as it is meant to", async () => {
  const outcomes: Record<string, unknown> = {};
  for (const { name, stream } of listCorpus) outcomes[name] = await feedList([stream]);
  assert.deepEqual(outcomes, {
    list: { entries: 4 },
    "list-fails": { entries: 0, code: "GUEST_FAILED" },
  });
});

test("no list made from the corpus breaks the parser", async () => {
  const ends = await fuzzList({ seed: 1, first: 0, iterations: 2_000 });
  // A run in which everything stops at the first check would prove nothing.
  assert.ok((ends["done"] ?? 0) > 100, JSON.stringify(ends));
  assert.ok((ends["GUEST_PROTOCOL"] ?? 0) > 200, JSON.stringify(ends));
});
