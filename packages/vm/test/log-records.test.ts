import assert from "node:assert/strict";
import { rejectsWithCode, testProgram } from "@virga/testkit";
import type { Logger } from "../src/logger.ts";
import { VmManager } from "../src/vm-manager.ts";
import { drivers, testOnFakes } from "./with-fake.ts";

type Level = keyof Logger;

testOnFakes("log records are pino's, tell the VM, and why it ended", {}, async (bench) => {
  const { place, config, fake } = bench;
  const records: { level: Level; fields: Record<string, unknown>; message: string }[] = [];
  const note = (level: Level) => (fields: Record<string, unknown>, message: string) =>
    void records.push({ level, fields, message });
  const logger = {
    debug: note("debug"),
    info: note("info"),
    warn: note("warn"),
    error: note("error"),
  };
  const launcher = await testProgram("launcher");
  const manager = new VmManager({ directory: place.directory, launcher, drivers, logger });

  const vm = await manager.create(config("vm"));
  await manager.pause("vm");
  await manager.resume("vm");
  fake.set({ calls: { pause: { do: "die", signal: "SIGSEGV" } } });
  await rejectsWithCode(manager.pause("vm"), "HYPERVISOR_EXITED");
  await vm.exited;
  await vm.destroy();

  for (const { fields, message } of records) {
    assert.equal(fields["vm"], "vm", message);
    assert.doesNotThrow(() => JSON.stringify(fields), message);
  }
  // Whether its end is seen at once is up to the machine: a warning may say that it could not be asked.
  const said = records
    .filter(({ level }) => level === "info" || level === "error")
    .map(({ level, message }) => [level, message]);
  assert.deepEqual(said, [
    ["info", "creating VM"],
    ["info", "VM started"],
    ["info", "VM paused"],
    ["info", "VM resumed"],
    ["error", "the hypervisor ended unexpectedly"],
    ["info", "destroying VM"],
    ["info", "VM destroyed"],
  ]);
  const end = records.find(({ level }) => level === "error")?.fields;
  assert.equal(end?.["reason"], "vmm-crash");
  assert.equal(typeof end?.["logTail"], "string");
  const steps = records.filter(({ message }) => message === "step done");
  assert.ok(steps.length > 10, String(steps.length));
  assert.ok(steps.every(({ fields }) => typeof fields["durationMs"] === "number"));
});
