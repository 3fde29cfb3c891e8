import assert from "node:assert/strict";
import { test } from "node:test";
import { ageText } from "./age.ts";

test("an age is told by its largest unit", () => {
  const then = "2026-01-01T00:00:00.000Z";
  const start = Date.parse(then);
  for (const [seconds, text] of [
    [-5, "0s"],
    [0, "0s"],
    [59.9, "59s"],
    [60, "1m"],
    [7_199, "1h"],
    [86_400 * 3, "3d"],
  ] as const) {
    assert.equal(ageText(then, start + seconds * 1_000), text);
  }
});
