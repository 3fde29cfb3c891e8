import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { Deadline } from "./deadline.ts";
import { GuestError } from "./errors.ts";

test("the limit ends it, with the outcome that the caller knows", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const deadline = new Deadline("ping", 100, undefined);
  let calls = 0;
  deadline.onOver(() => (calls += 1));
  context.mock.timers.tick(99);
  assert.equal(deadline.signal.aborted, false);
  context.mock.timers.tick(1);
  assert.equal(calls, 1);
  assert.equal(deadline.remainingMs, 0);
  const details = { op: "ping", timeoutMs: 100 };
  assert.ok(
    guestError("GUEST_TIMEOUT", /not answer within 100 ms/, { ...details, outcome: "unknown" })(
      deadline.error("unknown"),
    ),
  );
  assert.ok(
    guestError("GUEST_TIMEOUT", /not be reached within 100 ms/, {
      ...details,
      outcome: "not-started",
    })(deadline.error("not-started")),
  );
});

test("the caller's signal ends it, with the reason as the cause", () => {
  const controller = new AbortController();
  const deadline = new Deadline("ping", 10_000, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(deadline.signal.aborted, true);
  const error = deadline.error("unknown");
  assert.ok(guestError("ABORTED", /ping/)(error));
  assert.equal(error.cause, reason);
  deadline.dispose();
});

test("a signal that is aborted already ends it at once, and listeners are called at once", () => {
  const deadline = new Deadline("ping", 10_000, AbortSignal.abort());
  let calls = 0;
  deadline.onOver(() => (calls += 1))();
  assert.equal(calls, 1);
  deadline.dispose();
});

test("cancel ends it with an error of its own", () => {
  const deadline = new Deadline("ping", 10_000, undefined);
  const error = new GuestError("ABORTED", "closed");
  deadline.cancel(error);
  assert.equal(deadline.error("unknown"), error);
  deadline.dispose();
});

test("dispose lets go of the caller's signal, a listener can be taken back", () => {
  const { signal } = new AbortController();
  const deadline = new Deadline("ping", 10_000, signal);
  const release = deadline.onOver(() => assert.fail("called"));
  assert.equal(getEventListeners(signal, "abort").length, 1);
  release();
  deadline.dispose();
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(getEventListeners(deadline.signal, "abort").length, 0);
});

test("a limit longer than timers can wait does not end at once", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const deadline = new Deadline("ping", Number.POSITIVE_INFINITY, undefined);
  context.mock.timers.tick(1_000_000);
  assert.equal(deadline.signal.aborted, false);
  deadline.dispose();
});

for (const timeoutMs of [0, -1, Number.NaN]) {
  test(`a limit of ${timeoutMs} is refused`, () => {
    assert.throws(
      () => new Deadline("ping", timeoutMs, undefined),
      guestError("GUEST_BAD_REQUEST", /above 0/),
    );
  });
}
