import assert from "node:assert/strict";
import { test } from "node:test";
import { isAtLeast } from "./is-at-least.ts";

test("versions are compared number by number", () => {
  assert.ok(isAtLeast([7, 2, 0], [7, 2, 0]));
  assert.ok(isAtLeast([10, 0, 0], [8, 2, 0]));
  assert.ok(isAtLeast([8, 10, 0], [8, 2, 5]));
  assert.ok(!isAtLeast([8, 1, 9], [8, 2, 0]));
  assert.ok(!isAtLeast([7, 2, 0], [7, 2, 1]));
});
