import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { rejectsWithCode } from "@virga/testkit";
import type { StepMessage } from "../src/steps.ts";
import { assertNothing, testOnFakes } from "./with-fake.ts";

/** Calls back once, at the begin or the end of a step of a snapshot. */
function atStep(step: string, phase: StepMessage["phase"], run: () => void): Disposable {
  const onStep = (message: unknown): void => {
    const seen = message as StepMessage;
    if (seen.operation === "snapshot" && seen.step === step && seen.phase === phase) run();
  };
  subscribe("virga:vm:step", onStep);
  return { [Symbol.dispose]: () => void unsubscribe("virga:vm:step", onStep) };
}

for (const phase of ["start", "end"] as const) {
  testOnFakes(
    `a snapshot whose VM is destroyed at the ${phase} of its publishing is taken back`,
    {},
    async (bench) => {
      const { boot, manager, place } = bench;
      const vm = await boot("vm");
      await manager.pause("vm");
      const target = join(place.scratch, "snapshot");
      let destroyed: Promise<void> | undefined;
      using _ = atStep("publish", phase, () => {
        destroyed = vm.destroy();
      });
      await rejectsWithCode(manager.snapshot("vm", target), "VM_DESTROYED");
      assert.ok(destroyed !== undefined);
      await destroyed;
      assert.equal(existsSync(target), false);
      const left = readdirSync(place.scratch).filter((name) => name.includes("snapshot"));
      assert.deepEqual(left, []);
      assertNothing(bench);
    },
  );
}
