import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, readVectors } from "../../../native/protocol/read-vectors.ts";
import { confirmRecord, helloRecord, welcomePrefix, WelcomeScanner } from "./handshake.ts";

for (const vector of readVectors("handshake")) {
  test(`writes or reads the golden vector "${vector.name}"`, () => {
    const nonceH = bytesOf(vector.nonceH);
    const nonceG = bytesOf(vector.nonceG);
    if (vector.record === "hello") {
      assert.equal(helloRecord(nonceH).toString("hex"), vector.hex);
    } else if (vector.record === "confirm") {
      assert.equal(confirmRecord(nonceH, nonceG).toString("hex"), vector.hex);
    } else {
      const welcome = new WelcomeScanner(nonceH).push(bytesOf(vector.hex));
      assert.deepEqual(welcome?.guestNonce, nonceG);
    }
  });
}

const hostNonce = Buffer.from("0123456789abcdef");
const guestNonce = Buffer.from("fedcba9876543210");
const welcome = Buffer.concat([welcomePrefix(hostNonce), guestNonce]);
/** A welcome that was meant for an earlier user of the port. */
const stale = Buffer.concat([welcomePrefix(Buffer.from("an earlier nonce")), guestNonce]);

test("whatever stands before the welcome is dropped, in whatever pieces it comes", () => {
  const garbage = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.constant(stale),
      fc.nat({ max: 23 }).map((length) => welcome.subarray(0, length)),
    ),
    { maxLength: 5 },
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 });
  fc.assert(
    fc.property(garbage, fc.uint8Array({ maxLength: 50 }), sizes, (before, after, pieces) => {
      const head = Buffer.concat(before);
      const stream = Buffer.concat([head, welcome, after]);
      const scanner = new WelcomeScanner(hostNonce);
      let offset = 0;
      for (let turn = 0; offset < stream.length; turn += 1) {
        const end = Math.min(stream.length, offset + (pieces[turn % pieces.length] ?? 1));
        const found = scanner.push(stream.subarray(offset, end));
        assert.ok(scanner.heldLength < 40);
        offset = end;
        if (found === undefined) continue;
        assert.deepEqual(found.guestNonce, guestNonce);
        assert.equal(scanner.droppedLength, head.length);
        assert.deepEqual(Buffer.concat([found.rest, stream.subarray(offset)]), Buffer.from(after));
        return;
      }
      assert.fail("the welcome was not found");
    }),
    { numRuns: 500 },
  );
});

test("a welcome for another hello is none", () => {
  assert.equal(new WelcomeScanner(hostNonce).push(stale), undefined);
});
