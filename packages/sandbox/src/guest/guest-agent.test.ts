import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestError } from "@virga/guest";
import type { AgentClient, CallOptions } from "@virga/guest";
import { VirgaError, isVirgaError } from "@virga/vm";
import type { Vm } from "@virga/vm";
import { awaitAgent, isSilent } from "./guest-agent.ts";

const LONG_MS = 20_000;

interface Fake {
  readonly vm: Vm;
  readonly agent: AgentClient;
  /** Signals of calls that were still open when the wait ended. */
  readonly signals: AbortSignal[];
}

/** A VM and its agent, of which each does what it is told, or waits for its signal. */
function fakes(what: {
  readonly watch?: "alive" | "hung" | Error;
  readonly ping?: "answer" | Error;
}): Fake {
  const signals: AbortSignal[] = [];
  const untilAborted = (signal: AbortSignal | undefined): Promise<never> => {
    if (signal !== undefined) signals.push(signal);
    return new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(new Error("aborted")));
    });
  };
  const vm = {
    id: "a1",
    state: "running",
    watchBoot: ({ signal }: { readonly signal: AbortSignal }) => {
      if (what.watch === undefined) return untilAborted(signal);
      return what.watch instanceof Error ? Promise.reject(what.watch) : Promise.resolve(what.watch);
    },
  };
  const agent = {
    ping: ({ signal }: CallOptions) => {
      if (what.ping === undefined) return untilAborted(signal);
      return what.ping instanceof Error ? Promise.reject(what.ping) : Promise.resolve({});
    },
  };
  return { vm: vm as unknown as Vm, agent: agent as unknown as AgentClient, signals };
}

test("a boot that hangs is silent at once, and the call is given up", async () => {
  const { vm, agent, signals } = fakes({ watch: "hung" });
  await assert.rejects(awaitAgent(vm, agent, LONG_MS, undefined), (error) => {
    assert.ok(isVirgaError(error) && error.code === "TIMEOUT", String(error));
    assert.ok(isSilent(error));
    return true;
  });
  assert.ok(signals.length === 1 && signals[0]?.aborted);
});

test("an answer ends the wait and the watch", async () => {
  const { vm, agent, signals } = fakes({ ping: "answer" });
  await awaitAgent(vm, agent, LONG_MS, undefined);
  assert.ok(signals.length === 1 && signals[0]?.aborted);
});

for (const watch of ["alive", new Error("the monitor is busy")] as const) {
  test(`a watch that ends with ${String(watch)} leaves the word to the agent`, async () => {
    const failure = new GuestError("GUEST_TIMEOUT", "no answer");
    const { vm, agent } = fakes({ watch, ping: failure });
    await assert.rejects(awaitAgent(vm, agent, LONG_MS, undefined), failure);
    assert.ok(isSilent(failure));
  });
}

test("an abort is no silence", async () => {
  const { vm, agent } = fakes({});
  const controller = new AbortController();
  const waiting = awaitAgent(vm, agent, LONG_MS, controller.signal);
  controller.abort();
  await assert.rejects(waiting, (error) => !isSilent(error));
  assert.ok(!isSilent(new VirgaError("CAPACITY", "x")));
  assert.ok(isSilent(new VirgaError("TIMEOUT", "x")));
});
