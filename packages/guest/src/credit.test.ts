import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { guestError } from "../test/error-matchers.ts";
import {
  costOf,
  creditReturn,
  ReceiveCredit,
  receiveWindow,
  SendCredit,
  sendWindow,
} from "./credit.ts";
import { maxPayloadLength } from "./frame.ts";

test("a frame costs its whole length and 1,024", () => {
  assert.equal(costOf(0), 1_048);
  assert.equal(costOf(maxPayloadLength), 33_792);
});

test("a sender waits until its cost is granted", async () => {
  const credit = new SendCredit();
  assert.equal(await credit.take(sendWindow), true);
  const waiting = credit.take(100);
  credit.grant(99);
  assert.equal(credit.available, 99);
  credit.grant(1);
  assert.equal(await waiting, true);
  assert.equal(credit.available, 0);
});

test("a sender that is sent away takes nothing, and a second one may not wait", async () => {
  const credit = new SendCredit();
  await credit.take(sendWindow);
  const waiting = credit.take(1);
  assert.throws(() => credit.take(1), /two senders/);
  credit.stopWaiting();
  assert.equal(await waiting, false);
  credit.grant(sendWindow);
  assert.equal(credit.available, sendWindow);
});

test("more credit than was spent is refused", async () => {
  const credit = new SendCredit();
  await credit.take(10);
  credit.grant(10);
  assert.throws(() => credit.grant(1), guestError("GUEST_PROTOCOL", /more credit/));
});

test("more than the granted is refused", () => {
  const credit = new ReceiveCredit();
  credit.charge(receiveWindow);
  assert.throws(() => credit.charge(1), guestError("GUEST_PROTOCOL", /more than its credit/));
});

test("the books balance whatever is received and consumed, and a full frame can always follow", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ length: fc.nat({ max: maxPayloadLength }), keep: fc.nat({ max: 3 }) })),
      (turns) => {
        const credit = new ReceiveCredit();
        const unread: number[] = [];
        let held = receiveWindow;
        for (const { length, keep } of turns) {
          const cost = costOf(length);
          if (cost <= held) {
            credit.charge(cost);
            held -= cost;
            unread.push(cost);
          }
          while (unread.length > keep) {
            const returned = credit.consume(unread.shift() ?? 0);
            assert.ok(returned === 0 || returned >= creditReturn);
            held += returned;
          }
          assert.equal(
            credit.unconsumed,
            unread.reduce((sum, next) => sum + next, 0),
          );
          if (unread.length === 0)
            assert.ok(held > receiveWindow - creditReturn && held <= receiveWindow);
        }
      },
    ),
  );
});
