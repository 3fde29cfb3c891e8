import assert from "node:assert/strict";
import { test } from "node:test";
import { readCorpus } from "./corpus.ts";
import { feed } from "./host-parser.ts";
import { fuzz } from "./run.ts";

test("each stream of the corpus comes as far as it is meant to", async () => {
  const outcomes: Record<string, unknown> = {};
  for (const { name, stream } of readCorpus()) {
    const { stage, exit, code, stdout } = await feed([stream]);
    outcomes[name] = { stage, end: exit?.code ?? exit?.signal ?? code, stdout: stdout.length };
  }
  assert.deepEqual(outcomes, {
    "exec-both-streams.hex": { stage: "started", end: 3, stdout: 3 },
    "exec-credit.hex": { stage: "started", end: 0, stdout: 32_800 },
    "exec-late-welcome.hex": { stage: "started", end: 0, stdout: 0 },
    "exec-refused.hex": { stage: "not-started", end: "GUEST_NOT_FOUND", stdout: 0 },
    "exec-signal.hex": { stage: "started", end: 9, stdout: 0 },
  });
});

test("no stream made from the corpus breaks the parser", async () => {
  const tally = await fuzz({ seed: 1, first: 0, iterations: 3_000 });
  // A run in which everything stops at the first check would prove nothing.
  const { started } = tally.stages;
  assert.ok(started > 1_000, JSON.stringify(tally));
  assert.ok((tally.ends["exit"] ?? 0) > 300, JSON.stringify(tally));
  assert.ok((tally.ends["GUEST_PROTOCOL"] ?? 0) > 300, JSON.stringify(tally));
});

test("one iteration alone does what it did in its run", async () => {
  const whole = await fuzz({ seed: 5, first: 0, iterations: 20 });
  const parts: Record<string, number> = {};
  for (let first = 0; first < 20; first += 1) {
    for (const [end, count] of Object.entries(
      (await fuzz({ seed: 5, first, iterations: 1 })).ends,
    )) {
      parts[end] = (parts[end] ?? 0) + count;
    }
  }
  assert.deepEqual(parts, whole.ends);
});
