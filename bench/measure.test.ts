import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scenario } from "./bench.ts";
import { measure } from "./measure.ts";
import { judge } from "./verdict.ts";

/** A scenario on a clock of its own: raw takes `raw` ms, Virga `virga` ms. */
function scenario(values: { raw?: () => number; virga: () => number }) {
  const calls: string[] = [];
  let now = 0;
  const take = (name: string, value: () => number) => () => {
    const t = value();
    calls.push(name);
    now += t;
    return Promise.resolve({ t });
  };
  const made: Scenario = {
    measures: [{ name: "t", unit: "ms", aim: { of: values.raw ? "ratio" : "value", most: 1.5 } }],
    ...(values.raw && { raw: take("raw", values.raw) }),
    virga: take("virga", values.virga),
    close: () => Promise.resolve(),
  };
  return { made, calls, clock: () => now };
}

test("rounds alternate in their order, and the first is thrown away", async () => {
  const { made, calls, clock } = scenario({ raw: () => 10, virga: () => 12 });
  const [result] = await measure(made, { deadlineMs: 1e9, clock, leastRounds: 4 });
  assert.equal(calls.join(" "), "raw virga raw virga virga raw raw virga virga raw");
  assert.deepEqual(result?.samples, { raw: [10, 10, 10, 10], virga: [12, 12, 12, 12] });
  assert.deepEqual(result.comparison?.ratio, { value: 1.2, low: 1.2, high: 1.2 });
  assert.equal(result.verdict, "reached");
});

test("it goes on until the interval is narrow", async () => {
  let n = 0;
  // Every other pair is off by half, until these are outvoted.
  const virga = () => (n++ < 8 && n % 2 === 0 ? 18 : 12);
  const { made, clock } = scenario({ raw: () => 10, virga });
  const [result] = await measure(made, { deadlineMs: 1e9, clock, leastRounds: 5 });
  assert.ok((result?.virga.count ?? 0) > 8, String(result?.virga.count));
  const { low = 0, high = 1 } = result?.comparison?.ratio ?? {};
  assert.ok((high - low) / 2 <= 0.05 * 1.2);
});

test("the deadline ends it although the interval is wide", async () => {
  let n = 0;
  const { made, clock } = scenario({ raw: () => 10, virga: () => (n++ % 2 === 0 ? 10 : 30) });
  const [result] = await measure(made, { deadlineMs: 1000, clock });
  assert.ok(clock() >= 1000 && clock() < 1050);
  assert.equal(result?.virga.count, result?.raw?.count);
  assert.equal(result?.verdict, "open");
});

test("too few rounds leave the verdict open, however narrow the interval", async () => {
  const { made, clock } = scenario({ raw: () => 10, virga: () => 30 });
  const [result] = await measure(made, { deadlineMs: 100, clock });
  assert.equal(result?.comparison?.ratio.low, 3);
  assert.equal(result.verdict, "open");
});

test("a round that outlasts the deadline counts, when it is the only one", async () => {
  const { made, calls, clock } = scenario({ raw: () => 10, virga: () => 12 });
  const [result] = await measure(made, { deadlineMs: 5, clock });
  assert.equal(calls.join(" "), "raw virga");
  assert.deepEqual(result?.samples, { raw: [10], virga: [12] });
});

test("an abort ends it after the round", async () => {
  const controller = new AbortController();
  let n = 0;
  const { made, clock } = scenario({
    raw: () => 10,
    virga: () => {
      if (++n === 3) controller.abort();
      return 1 + n;
    },
  });
  const { signal } = controller;
  const [result] = await measure(made, { deadlineMs: 1e9, clock, signal });
  assert.equal(result?.virga.count, 2);
});

test("without a raw side the value itself is judged", async () => {
  const { made, clock } = scenario({ virga: () => 2 });
  const [result] = await measure(made, { deadlineMs: 1e9, clock });
  assert.equal(result?.comparison, undefined);
  assert.equal(result?.verdict, "missed");
});

test("a round that leaves a measure out is an error", async () => {
  const { made } = scenario({ virga: () => 1 });
  const broken = { ...made, virga: () => Promise.resolve({}) };
  await assert.rejects(measure(broken, { deadlineMs: Infinity }), /did not measure "t"/);
});

test("an aim is missed only when the whole interval lies above it", () => {
  const value = (low: number, high: number) => ({ value: (low + high) / 2, low, high });
  const aim = { of: "value", most: 2 } as const;
  assert.equal(judge(aim, value(2.1, 3), undefined), "missed");
  assert.equal(judge(aim, value(1.9, 3), undefined), "open");
  assert.equal(judge(aim, value(1, 2), undefined), "reached");
  assert.throws(() => judge({ of: "ratio", most: 2 }, value(1, 2), undefined), /needs a raw/);
});
