import assert from "node:assert/strict";
import { test } from "node:test";
import { answerKinds } from "./answer-parser.ts";
import { fuzzAnswers } from "./run.ts";

test("each right answer is read to its end", async () => {
  const counts: Record<string, number> = {};
  for (const [name, { seed, read }] of Object.entries(answerKinds)) {
    counts[name] = await read([seed.subarray(0, 50), seed.subarray(50)]);
  }
  const one = { execs: 1, stat: 1, attributes: 1, ping: 1, stats: 1 };
  assert.deepEqual(counts, { watch: 5, ports: 2, archive: 3, ...one });
});

test("no answer breaks its parser", async () => {
  const ends = await fuzzAnswers({ seed: 1, first: 0, iterations: 6_000 });
  // A run in which everything stops at the first check would prove nothing.
  for (const name of Object.keys(answerKinds)) {
    assert.ok((ends[`${name} done`] ?? 0) > 10, `${name}: ${JSON.stringify(ends)}`);
    assert.ok((ends[`${name} GUEST_PROTOCOL`] ?? 0) > 100, `${name}: ${JSON.stringify(ends)}`);
  }
});
