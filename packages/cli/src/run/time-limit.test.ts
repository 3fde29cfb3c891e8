import assert from "node:assert/strict";
import { test } from "node:test";
import { TimeLimit } from "./time-limit.ts";

test("a guest that does not keep the limit is given up a second after it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  using limit = new TimeLimit(500, new AbortController().signal);
  t.mock.timers.tick(10_000);
  assert.equal(limit.isOver, false, "the command has not started");
  limit.start();
  t.mock.timers.tick(1_499);
  assert.deepEqual([limit.isOver, limit.signal.aborted], [false, false]);
  t.mock.timers.tick(1);
  assert.deepEqual([limit.isOver, limit.signal.aborted], [true, true]);
});

test("who asks to stop is not the time limit", () => {
  const stop = new AbortController();
  using limit = new TimeLimit(500, stop.signal);
  limit.start();
  stop.abort();
  assert.deepEqual([limit.isOver, limit.signal.aborted], [false, true]);
});

test("without a limit, and after its end, nothing is over", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { signal } = new AbortController();
  using none = new TimeLimit(undefined, signal);
  none.start();
  const ended = new TimeLimit(500, signal);
  ended.start();
  ended[Symbol.dispose]();
  t.mock.timers.tick(100_000);
  assert.deepEqual([none.isOver, ended.isOver], [false, false]);
});
