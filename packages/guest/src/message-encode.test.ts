import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { readVectors } from "../../../native/protocol/read-vectors.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageFields, MessageInput } from "./message.ts";

/** The value of a vector, in which `{"$bin": hex}` stands for bytes. */
function inputOf(value: unknown): MessageInput {
  if (Array.isArray(value)) return value.map(inputOf);
  if (typeof value !== "object" || value === null) return value as MessageInput;
  const bin = (value as Record<string, unknown>)["$bin"];
  if (typeof bin === "string") return Buffer.from(bin, "hex");
  return new Map(Object.entries(value).map(([key, item]) => [key, inputOf(item)]));
}

for (const vector of readVectors("message").filter(({ bad }) => bad === undefined)) {
  test(`encodes the golden vector "${vector.name}"`, () => {
    const bytes = encodeMessage(inputOf(vector.value) as ReadonlyMap<string, MessageInput>);
    assert.equal(bytes.toString("hex"), vector.hex);
  });
}

test("keys without a value are left out", () => {
  assert.equal(encodeMessage({ a: undefined, b: 1 }).toString("hex"), "81a16201");
});

const refused: readonly [string, MessageFields, RegExp][] = [
  ["a fraction", { v: 1.5 }, /"v".*1\.5/],
  ["not a number", { v: Number.NaN }, /NaN/],
  ["an integer of 2^53", { v: 2 ** 53 }, /9007199254740992/],
  ["an integer of -2^53", { v: -(2 ** 53) }, /-9007199254740992/],
  ["half a surrogate pair", { a: { b: ["\ud800"] } }, /"a\.b\[0\]".*surrogate/],
  ["half a surrogate pair in a key", { "\udc00": 1 }, /key/],
  ["nine levels", { a: [[[[[[[[]]]]]]]] }, /nested deeper than 8/],
  ["a function", { v: (() => 1) as unknown as string }, /a function/],
];
for (const [name, fields, message] of refused) {
  test(`refuses ${name}`, () => {
    assert.throws(() => encodeMessage(fields), guestError("GUEST_BAD_REQUEST", message));
  });
}

test("a message fills one frame at most", () => {
  assert.equal(encodeMessage({ v: new Uint8Array(32_738) }).length, 32_744);
  assert.throws(
    () => encodeMessage({ v: new Uint8Array(32_739) }),
    guestError("GUEST_BAD_REQUEST", /32744 bytes/),
  );
});
