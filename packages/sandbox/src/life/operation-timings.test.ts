import assert from "node:assert/strict";
import { test } from "node:test";
import { Timings } from "../timings.ts";
import { operationTimings, withOperation } from "./operation-timings.ts";

function timingsOf(steps: Readonly<Record<string, number>>): Timings {
  const timings = new Timings();
  for (const [step, ms] of Object.entries(steps)) timings.add(step, ms);
  return timings;
}

test("a run of an operation takes the place of the one before, and of nothing else", () => {
  let timings: Readonly<Record<string, number>> = { restore: 12, init: 3 };
  timings = withOperation({ timings }, "pause", timingsOf({ prepare: 1, pause: 2 }));
  timings = withOperation({ timings }, "snapshot", timingsOf({ stop: 7, disk: 4 }));
  timings = withOperation({ timings }, "pause", timingsOf({ pause: 5 }));
  assert.deepEqual(operationTimings({ timings }), {
    create: { restore: 12, init: 3 },
    snapshot: { stop: 7, disk: 4 },
    pause: { pause: 5 },
  });
});

test("what an earlier version wrote is of the creation", () => {
  assert.deepEqual(operationTimings({ timings: { boot: 12.5, "pause the world": 1 } }), {
    create: { boot: 12.5, "pause the world": 1 },
  });
  assert.deepEqual(operationTimings({ timings: {} }), { create: {} });
});
