import assert from "node:assert/strict";
import test from "node:test";
import { LEGAL_STATES, STATE_TRANSITIONS, checkLegal, nextState } from "./state.ts";
import type { VmOperation, VmState } from "./state.ts";

const states = Object.keys(STATE_TRANSITIONS) as VmState[];

test("every state can end, and nothing follows stopped", () => {
  for (const start of states) {
    const reachable = new Set<VmState>([start]);
    for (const state of reachable) for (const next of STATE_TRANSITIONS[state]) reachable.add(next);
    assert.ok(reachable.has("stopped"), start);
  }
  assert.deepEqual(STATE_TRANSITIONS.stopped, []);
});

test("legal operations pass, illegal ones name the state and what would be legal", () => {
  for (const [operation, legal] of Object.entries(LEGAL_STATES) as [VmOperation, VmState[]][]) {
    for (const state of states) {
      if (legal.includes(state)) checkLegal("a1", operation, state);
      else
        assert.throws(() => checkLegal("a1", operation, state), {
          code: "INVALID_STATE",
          message: new RegExp(`VM "a1": state is ${state}$`, "u"),
        });
    }
  }
  assert.throws(() => checkLegal("a1", "pause", "stopped"), {
    message: 'Cannot pause VM "a1": state is stopped',
  });
});

test("unknown allows only inspect and destroy", () => {
  const allowed = Object.entries(LEGAL_STATES).filter(([, legal]) => legal.includes("unknown"));
  assert.deepEqual(
    allowed.map(([operation]) => operation),
    ["info", "destroy"],
  );
});

test("an illegal transition is a bug and throws", () => {
  assert.equal(nextState("running", "paused"), "paused");
  assert.equal(nextState("failed", "failed"), "failed");
  assert.throws(() => nextState("stopped", "running"), /Illegal transition/u);
});
