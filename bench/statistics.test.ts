import assert from "node:assert/strict";
import { test } from "node:test";
import {
  comparePairs,
  estimateMedian,
  quantile,
  relativeHalfWidth,
  seededRandom,
  summarize,
  type Pair,
} from "./statistics.ts";

/** A sample of a normal distribution. */
function normal(random: () => number, mean: number, deviation: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return mean + deviation * radius * Math.cos(2 * Math.PI * random());
}

test("quantiles are interpolated between the samples, whatever their order", () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.equal(quantile([10, 0], 0.95), 9.5);
  assert.equal(quantile([7], 0.95), 7);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

test("a summary counts, and an outlier does not move its median", () => {
  const samples = [1, 2, 3, 4, 1000];
  const { count, median, p95 } = summarize(samples);
  assert.deepEqual([count, median], [5, 3]);
  assert.ok(p95 > 500);
  assert.deepEqual(samples, [1, 2, 3, 4, 1000], "the samples keep their order");
});

test("the same seed gives the same numbers, evenly in [0, 1)", () => {
  const [one, two] = [seededRandom(7), seededRandom(7)];
  const numbers = Array.from({ length: 10_000 }, () => one());
  assert.deepEqual(
    numbers.slice(0, 100),
    Array.from({ length: 100 }, () => two()),
  );
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.01, String(mean));
  assert.notDeepEqual(numbers[0], seededRandom(8)());
});

test("the interval of a ratio narrows with more pairs and holds the true ratio about as often as it says", () => {
  let held = 0;
  const runs = 100;
  for (let seed = 0; seed < runs; seed++) {
    const random = seededRandom(seed);
    const pairs: Pair[] = Array.from({ length: 40 }, () => ({
      raw: normal(random, 100, 10),
      virga: normal(random, 120, 10),
    }));
    const { ratio, difference } = comparePairs(pairs, random);
    assert.ok(ratio.low <= ratio.value && ratio.value <= ratio.high);
    assert.ok(difference.low <= difference.value && difference.value <= difference.high);
    if (ratio.low <= 1.2 && 1.2 <= ratio.high) held++;
  }
  assert.ok(held >= 88 && held <= 100, `${held} of ${runs}`);
  const width = (count: number): number => {
    const random = seededRandom(1);
    const pairs = Array.from({ length: count }, () => ({
      raw: normal(random, 100, 10),
      virga: normal(random, 120, 10),
    }));
    return relativeHalfWidth(comparePairs(pairs, random).ratio);
  };
  assert.ok(width(200) < width(12) / 2);
});

test("what slows the whole machine for a while does not widen the ratio of pairs much", () => {
  const random = seededRandom(3);
  const pairs = Array.from({ length: 40 }, (_, index) => {
    const load = index % 2 === 0 ? 1 : 1.0001;
    return { raw: 100 * load, virga: 110 * load };
  });
  const { ratio } = comparePairs(pairs, random);
  assert.ok(relativeHalfWidth(ratio) < 1e-6, JSON.stringify(ratio));
  assert.ok(Math.abs(ratio.value - 1.1) < 1e-9);
});

test("equal samples have an interval of no width", () => {
  const estimate = estimateMedian([5, 5, 5, 5], seededRandom(1));
  assert.deepEqual(estimate, { value: 5, low: 5, high: 5 });
  assert.equal(relativeHalfWidth(estimate), 0);
});
