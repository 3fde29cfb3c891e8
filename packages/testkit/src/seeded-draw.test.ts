import assert from "node:assert/strict";
import { test } from "node:test";
import { seededDraw } from "./seeded-draw.ts";

test("what is drawn depends on seed and name, and on nothing else", () => {
  const draws = (seed: number): number[] => {
    const { draw } = seededDraw(seed);
    return Array.from({ length: 50 }, (_, index) => draw(`number ${index}`, 7));
  };
  assert.deepEqual(draws(1), draws(1));
  assert.notDeepEqual(draws(1), draws(2));
  assert.deepEqual(new Set(draws(1)), new Set([1, 2, 3, 4, 5, 6, 7]));
});
