import assert from "node:assert/strict";
import { test } from "node:test";
import { unknownOptions } from "./unknown-options.ts";

const known = { cwd: true, env: true, timeoutMs: true, memoryMib: true } as const;

test("known options pass, and none at all", () => {
  assert.deepEqual(unknownOptions({}, known), []);
  assert.deepEqual(unknownOptions({ cwd: "/", timeoutMs: undefined }, known), []);
});

for (const [name, meant] of [
  ["timeout", "timeoutMs"],
  ["timeoutms", "timeoutMs"],
  ["tiemoutMs", "timeoutMs"],
  ["memory", "memoryMib"],
  ["cdw", undefined],
  ["cwdd", "cwd"],
  ["toString", undefined],
  ["__proto__", undefined],
  ["x".repeat(100_000), undefined],
] as const) {
  test(`${name.slice(0, 20)} is refused, ${meant === undefined ? "without a guess" : `for ${meant}`}`, () => {
    const given = Object.fromEntries([[name, 1]]);
    const complaint = `there is no option "${name.slice(0, 64)}"`;
    const guess = meant === undefined ? "" : `, did you mean "${meant}"?`;
    assert.deepEqual(unknownOptions(given, known), [complaint + guess]);
  });
}
