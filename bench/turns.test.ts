import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTurn, type Standing } from "./turns.ts";

const fresh: Standing = { turns: 0, isWide: true, overheadMs: 0 };

/** Who gets how much, when each uses its time up, or as much of it as `uses` says. */
function play(
  standings: readonly Standing[],
  endMs: number,
  take: (index: number, forMs: number, standing: Standing) => { usedMs: number; after: Standing },
): { order: string; nowMs: number } {
  const all = [...standings];
  const order: string[] = [];
  let nowMs = 0;
  for (;;) {
    const turn = nextTurn(all, nowMs, endMs);
    const standing = all[turn?.index ?? -1];
    if (turn === undefined || standing === undefined) return { order: order.join(" "), nowMs };
    assert.ok(turn.deadlineMs <= Math.max(endMs, nowMs));
    const forMs = turn.deadlineMs - nowMs;
    order.push(`${turn.index}:${forMs}`);
    const { usedMs, after } = take(turn.index, forMs, standing);
    nowMs += usedMs;
    all[turn.index] = { ...after, turns: standing.turns + 1 };
    assert.ok(order.length < 100, "it ends");
  }
}

test("each gets an equal share of what is left", () => {
  const { order, nowMs } = play([fresh, fresh, fresh], 300, (_index, forMs, after) => ({
    usedMs: forMs,
    after,
  }));
  assert.equal(order, "0:100 1:100 2:100");
  assert.equal(nowMs, 300);
});

test("what narrow ones leave goes to the wide ones, those before them included, until the time is used", () => {
  const { order, nowMs } = play([fresh, fresh, fresh], 300, (index, forMs, standing) =>
    index === 0
      ? { usedMs: forMs, after: { ...standing, overheadMs: 10 } }
      : { usedMs: 20, after: { ...standing, isWide: false, overheadMs: 10 } },
  );
  assert.equal(order, "0:100 1:100 2:180 0:160");
  assert.equal(nowMs, 300);
});

test("it is over when all are narrow, however early", () => {
  const { order, nowMs } = play([fresh, fresh], 1000, (_index, _forMs, standing) => ({
    usedMs: 5,
    after: { ...standing, isWide: false },
  }));
  assert.equal(order, "0:500 1:995");
  assert.equal(nowMs, 10);
});

test("each gets one turn although the time is up, and no second one", () => {
  const { order, nowMs } = play([fresh, fresh, fresh], 90, (_index, _forMs, after) => ({
    usedMs: 400,
    after: { ...after, overheadMs: 1 },
  }));
  assert.equal(order, "0:30 1:0 2:0");
  assert.equal(nowMs, 1200);
});

test("no turn is begun that would only open and close, and none is mostly that", () => {
  const wide = { turns: 1, isWide: true };
  const standings = [
    { ...wide, overheadMs: 60 },
    { ...wide, overheadMs: 20 },
    { ...wide, overheadMs: 20 },
    { ...wide, overheadMs: 20 },
  ];
  assert.deepEqual(nextTurn(standings, 950, 1000), { index: 1, deadlineMs: 1000 });
  assert.deepEqual(nextTurn(standings, 880, 1000), { index: 0, deadlineMs: 1000 });
  assert.deepEqual(nextTurn(standings, 0, 1000), { index: 0, deadlineMs: 250 });
  assert.equal(nextTurn(standings, 990, 1000), undefined);
});

test("those with fewer turns come first", () => {
  const standings = [
    { turns: 2, isWide: true, overheadMs: 1 },
    { turns: 1, isWide: true, overheadMs: 1 },
    { turns: 1, isWide: false, overheadMs: 1 },
  ];
  assert.equal(nextTurn(standings, 0, 100)?.index, 1);
});

test("of nothing there is no turn", () => {
  assert.equal(nextTurn([], 0, 100), undefined);
});
