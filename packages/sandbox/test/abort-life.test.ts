import assert from "node:assert/strict";
import { test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { isVirgaError } from "@virga/vm";
import { isGuestError } from "@virga/guest";
import { doLifeOperation } from "./do-life-operation.ts";
import { killLifeEverywhere } from "./kill-life.ts";
import type { CutOff } from "./kill-life.ts";
import { lifeKillCases } from "./kill-life-cases.ts";
import { fakeKillSubject } from "./kill-life-subject.ts";
import { onLifeStep } from "./use-fake-host.ts";

/** By its signal, as Ctrl-C does it: nobody recovers anything afterwards. One that heard it too late comes to its end. */
const aborted: CutOff = async (host, { operation, at, host: where }) => {
  const abort = new AbortController();
  let events = 0;
  const stop = onLifeStep(({ phase }) => {
    if (phase === "start" && ++events === at) abort.abort();
  });
  try {
    await doLifeOperation(host, where, operation, { signal: abort.signal });
  } catch (error) {
    assert.ok(abort.signal.aborted, "nothing else fails it");
    const isAbort = (isVirgaError(error) || isGuestError(error)) && error.code === "ABORTED";
    assert.ok(isAbort, `it says that it was given up, and not ${String(error)}`);
  } finally {
    stop();
  }
  return abort.signal.aborted;
};

// What is destroyed is gone for its users whenever that is given up: the next process removes the rest.
const cases = lifeKillCases.filter(({ operation }) => operation !== "destroy");

for (const one of cases) {
  test(`given up at every step of ${one.title}, a sandbox is at once as before or as after`, (t) =>
    withLeakCheck(t, async (place) => {
      const subject = await fakeKillSubject(place, "qemu");
      const steps = await killLifeEverywhere(subject, one, "begins", aborted);
      assert.ok(steps >= one.steps, `${one.title} had ${steps} steps`);
    }));
}
