import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { Answer } from "./answer.ts";
import type { MessageValue } from "./message.ts";

const answer = (fields: Record<string, MessageValue>): Answer =>
  new Answer("exec", new Map(Object.entries(fields)));

test("fields of the right type are given", () => {
  const right = answer({ i: 5, b: true, t: "a\n", l: [1, 2] });
  assert.equal(right.integer("i"), 5);
  assert.equal(right.boolean("b"), true);
  assert.equal(right.flag("b"), true);
  assert.equal(right.flag("none"), false);
  assert.equal(right.text("t"), "a\\x0a");
  assert.deepEqual(right.integers("l", 2), [1, 2]);
  assert.equal(right.optionalInteger("none"), undefined);
  assert.equal(right.optionalText("none"), undefined);
});

const wrong: readonly [string, (from: Answer) => unknown][] = [
  ["a missing integer", (from) => from.integer("none")],
  ["an integer out of range", (from) => from.integer("i", 6)],
  ["an integer that is text", (from) => from.integer("t")],
  ["an optional integer that is text", (from) => from.optionalInteger("t")],
  ["a boolean that is an integer", (from) => from.boolean("i")],
  ["a flag that is nil", (from) => from.flag("n")],
  ["text that is an integer", (from) => from.text("i")],
  ["an array that is an integer", (from) => from.integers("i")],
  ["an array of a wrong length", (from) => from.integers("l", 3)],
  ["an array of text", (from) => from.integers("s")],
];
for (const [name, read] of wrong) {
  test(`${name} is refused`, () => {
    const from = answer({ i: 5, t: "x", n: null, l: [1, 2], s: ["x"] });
    assert.throws(() => read(from), guestError("GUEST_PROTOCOL", /answered exec without a right/));
  });
}

test("a refusal becomes an error of its code, with its facts", () => {
  const error = answer({
    ok: false,
    code: "NOT_FROZEN",
    message: "did not stop",
    pids: [7, 8],
    errno: 16,
  }).refusal();
  assert.ok(
    guestError("GUEST_NOT_FROZEN", /refused exec: did not stop/, {
      op: "exec",
      pids: [7, 8],
      errno: 16,
    })(error),
  );
});

test("a code that is unknown, or that only this side may use, becomes GUEST_FAILED", () => {
  for (const code of ["OUT_OF_CHEESE", "TIMEOUT", "PROTOCOL", "CONNECTION_LOST"]) {
    const error = answer({ ok: false, code, message: "?" }).refusal();
    assert.ok(guestError("GUEST_FAILED", /\?/, { agentCode: code })(error));
  }
});
