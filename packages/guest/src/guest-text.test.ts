import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { guestText } from "./guest-text.ts";

test("control characters are escaped, other text is kept", () => {
  assert.equal(
    guestText("no such file: é\n\u001b[31m\u0000\u009b"),
    "no such file: é\\x0a\\x1b[31m\\x00\\x9b",
  );
  assert.equal(guestText("a\u202eb\u2028c"), "a\\u202eb\\u2028c");
});

test("text is cut at 1,024 bytes, never inside a character", () => {
  assert.equal(guestText("x".repeat(1_024)), "x".repeat(1_024));
  assert.equal(guestText("x".repeat(1_025)), `${"x".repeat(1_024)}…`);
  assert.equal(guestText(`${"x".repeat(1_023)}é`), `${"x".repeat(1_023)}…`);
});

test("no text whatever yields a control character or more than the limit", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (text) => {
      const shown = guestText(text);
      // oxlint-disable-next-line no-control-regex -- that there are none is the point
      assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f]/);
      assert.ok(Buffer.byteLength(shown) <= 6 * 1_024 + 3);
    }),
  );
});
