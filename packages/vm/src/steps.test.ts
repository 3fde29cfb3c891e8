import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import test from "node:test";
import { VirgaError } from "./errors.ts";
import { silentLogger } from "./logger.ts";
import { Operation } from "./steps.ts";
import type { StepMessage } from "./steps.ts";

test("each step is published at its begin and its end, and timed", async (t) => {
  const seen: string[] = [];
  const listen = (message: unknown): void => {
    const { step, phase, vm, operation, durationMs } = message as StepMessage;
    if (vm !== "steps-test") return;
    assert.equal(operation, "create");
    seen.push(`${step}:${phase}`);
    // How long it took is known when it is over.
    if (phase === "start") assert.equal(durationMs, undefined);
    else assert.ok(durationMs !== undefined && durationMs >= 0, `${step}:${phase} ${durationMs}`);
  };
  subscribe("virga:vm:step", listen);
  t.after(() => unsubscribe("virga:vm:step", listen));
  const operation = new Operation("steps-test", "create", silentLogger, undefined);
  assert.equal(await operation.step("one", () => 1), 1);
  await assert.rejects(operation.step("two", () => Promise.reject(new Error("no"))));
  assert.deepEqual(seen, ["one:start", "one:end", "two:start", "two:error"]);
  assert.deepEqual(Object.keys(operation.timings), ["one"]);
  assert.equal(typeof operation.timings["one"], "number");
});

test("an error becomes one sentence with operation, VM and step, and keeps code and cause", async () => {
  const operation = new Operation("a", "create", silentLogger, undefined);
  const cause = new VirgaError("TIMEOUT", "too late", { hint: "wait" });
  await assert.rejects(
    operation.step("wait for socket", () => Promise.reject(cause)),
    {
      code: "TIMEOUT",
      message: 'Cannot create VM "a": wait for socket: too late',
      hint: "wait",
      cause,
      details: { id: "a", operation: "create", step: "wait for socket" },
    },
  );
  await assert.rejects(
    operation.step("x", () => Promise.reject(new TypeError("bug"))),
    { code: "IO_ERROR" },
  );
});

test("an aborted operation does not begin its next step", async () => {
  const controller = new AbortController();
  const operation = new Operation("a", "create", silentLogger, controller.signal);
  controller.abort();
  await assert.rejects(
    operation.step("one", () => assert.fail("ran")),
    { code: "ABORTED" },
  );
});
