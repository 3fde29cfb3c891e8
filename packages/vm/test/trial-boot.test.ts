import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testProgram } from "@virga/testkit";
import { silentLogger } from "../src/logger.ts";
import { trialBoot } from "../src/probe/trial-boot.ts";
import { drivers, testOnFakes, untilCalled } from "./with-fake.ts";

/** What a trial needs besides how long it may take. */
async function trialOn(driver: (typeof drivers)[number], binary: string, scratch: string) {
  const kernel = join(scratch, "kernel");
  writeFileSync(kernel, "");
  const launcher = await testProgram("launcher");
  return { driver, binary, launcher, kernel, logger: silentLogger };
}

// A fake's guest runs on, as one does that hangs in its boot: an accelerator that opens and answers every question is not one that works.
testOnFakes("a trial guest that hangs is no working accelerator", {}, async ({ fake, place }) => {
  const driver = drivers.find(({ name }) => name === fake.name);
  assert.ok(driver !== undefined);
  process.env["TMPDIR"] = place.scratch;
  try {
    const trial = await trialOn(driver, fake.binary, place.scratch);
    const hung = await trialBoot({ ...trial, timeoutMs: 3_000 });
    assert.equal(hung.ok, false);
    assert.match(hung.reason, /hangs/);
    assert.ok(
      fake.calls().some(({ call }) => ["cont", "vm.boot"].includes(call)),
      "it ran",
    );

    fake.set({ calls: { boot: { do: "die", signal: "SIGSEGV" } } });
    const crashed = await trialBoot({ ...trial, timeoutMs: 60_000 });
    assert.equal(crashed.ok, false);
    assert.match(crashed.reason, /boot: .*closed/);

    fake.set({});
    const abort = new AbortController();
    const given = trialBoot({ ...trial, timeoutMs: 600_000, signal: abort.signal });
    const refused = assert.rejects(given, /no patience/);
    await untilCalled(fake, ["cont", "vm.boot"]);
    abort.abort(new Error("no patience"));
    await refused;
    const left = readdirSync(place.scratch).filter((name) => name.startsWith("virga-trial-"));
    assert.deepEqual(left, []);
  } finally {
    delete process.env["TMPDIR"];
  }
});
