import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { guestError } from "../test/error-matchers.ts";
import { bytesOf, readVectors } from "../../../native/protocol/read-vectors.ts";
import { isGuestError } from "./errors.ts";
import { decodeMessage } from "./message-decode.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageMap, MessageValue } from "./message.ts";

/** The form in which vectors state values. */
function plain(value: MessageValue): unknown {
  if (value instanceof Uint8Array) return { $bin: Buffer.from(value).toString("hex") };
  if (value instanceof Map) {
    return Object.fromEntries([...(value as MessageMap)].map(([key, item]) => [key, plain(item)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

const reasons: Record<string, RegExp> = {
  truncated: /cut short/,
  "not a map": /not a map/,
  "trailing bytes": /after its end/,
  key: /a key that is not a string/,
  type: /type 0x.. is not in use/,
  range: /an integer of 2\^53 or more/,
  "utf-8": /not UTF-8/,
  nesting: /nested deeper/,
};

for (const vector of readVectors("message")) {
  const { bad } = vector;
  if (bad === undefined) {
    test(`decodes the golden vector "${vector.name}"`, () => {
      assert.deepEqual(plain(decodeMessage(bytesOf(vector.hex))), vector.value);
    });
  } else {
    test(`refuses the golden vector "${vector.name}"`, () => {
      const reason = reasons[bad];
      assert.ok(reason, `no test for the reason "${bad}"`);
      assert.throws(() => decodeMessage(bytesOf(vector.hex)), guestError("GUEST_PROTOCOL", reason));
    });
  }
}

test("a key that stands twice is refused", () => {
  assert.throws(
    () => decodeMessage(bytesOf("82a16101a16102")),
    guestError("GUEST_PROTOCOL", /twice/),
  );
});

test("keys that are names of a prototype are plain keys", () => {
  const map = decodeMessage(
    encodeMessage(
      new Map([
        ["__proto__", 1],
        ["constructor", 2],
      ]),
    ),
  );
  assert.deepEqual(
    [...map],
    [
      ["__proto__", 1],
      ["constructor", 2],
    ],
  );
});

test("bytes are copied out of the frame", () => {
  const frame = encodeMessage({ v: Uint8Array.of(1, 2) });
  const value = decodeMessage(frame).get("v");
  frame.fill(0);
  assert.deepEqual(value, Uint8Array.of(1, 2));
});

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 300 }),
);
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, scalar, fc.array(tie("value"), { maxLength: 20 }), tie("map")),
  map: fc
    .uniqueArray(fc.tuple(fc.string(), tie("value")), { maxLength: 20, selector: ([key]) => key })
    .map((entries) => new Map(entries)),
}));

test("what is encoded is decoded to the same", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const input = new Map([["v", value as MessageValue]]);
      let bytes: Buffer;
      try {
        bytes = encodeMessage(input);
      } catch (error) {
        // The generator may exceed one frame.
        if (isGuestError(error)) return;
        throw error;
      }
      assert.deepEqual(decodeMessage(bytes), input);
    }),
  );
});

test("random bytes are decoded or refused, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        assert.ok(
          decodeMessage(Buffer.concat([Buffer.of(0x81, 0xa1, 0x76), bytes])) instanceof Map,
        );
      } catch (error) {
        if (!isGuestError(error) || error.code !== "GUEST_PROTOCOL") throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});
