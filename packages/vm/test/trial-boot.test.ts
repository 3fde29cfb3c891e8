import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testProgram } from "@virga/testkit";
import { isSameProcess } from "../src/launch/process-identity.ts";
import { watchProcess } from "../src/launch/vmm-process.ts";
import { silentLogger } from "../src/logger.ts";
import { bootPatience, trialBoot } from "../src/probe/trial-boot.ts";
import type { VmRecord } from "../src/record.ts";
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
    const hung = await trialBoot({ ...trial, timeoutMs: 60_000, bootTimeoutMs: 100 });
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
    const refused = assert.rejects(given, { code: "ABORTED", message: "Aborted: trying KVM" });
    await untilCalled(fake, ["cont", "vm.boot"]);
    abort.abort(new Error("no patience"));
    await refused;
    assert.deepEqual(trialDirectories(place.scratch), []);
  } finally {
    delete process.env["TMPDIR"];
  }
});

/** Runs a trial boot that does not end by itself. */
const trial = `
import { cloudHypervisorDriver, qemuDriver, silentLogger } from "@virga/vm";
import { trialBoot } from ${JSON.stringify(new URL("../src/probe/trial-boot.ts", import.meta.url).href)};
const [name, binary, launcher, kernel] = process.argv.slice(1);
const driver = name === "qemu" ? qemuDriver() : cloudHypervisorDriver;
await trialBoot({ driver, binary, launcher, kernel, timeoutMs: 600_000, logger: silentLogger });
`;

testOnFakes("a trial whose process is killed leaves nothing", {}, async ({ fake, place }) => {
  const driver = drivers.find(({ name }) => name === fake.name);
  assert.ok(driver !== undefined);
  const options = await trialOn(driver, fake.binary, place.scratch);
  const nodeOptions = ["--conditions=virga-source", "--no-warnings", "--input-type=module"];
  const child = spawn(
    process.execPath,
    [...nodeOptions, "--eval", trial, fake.name, fake.binary, options.launcher, options.kernel],
    { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, TMPDIR: place.scratch } },
  );
  const ended = once(child, "exit");
  try {
    await untilCalled(fake, ["cont", "vm.boot"]);
    const [stale = ""] = trialDirectories(place.scratch);
    const record = readFileSync(join(place.scratch, stale, "trial", "vm.json"), "utf8");
    const { process: vmm } = JSON.parse(record) as VmRecord;
    assert.ok(vmm !== undefined && isSameProcess(vmm));
    child.kill("SIGKILL");
    await ended;
    await watchProcess(vmm).exited;
  } finally {
    child.kill("SIGKILL");
  }
  assert.equal(trialDirectories(place.scratch).length, 1);
  process.env["TMPDIR"] = place.scratch;
  try {
    fake.set({ calls: { boot: { do: "die", signal: "SIGSEGV" } } });
    await trialBoot({ ...options, timeoutMs: 60_000 });
  } finally {
    delete process.env["TMPDIR"];
  }
  assert.deepEqual(trialDirectories(place.scratch), []);
});

test("a guest gets more time for its boot where its hypervisor's start was slow", () => {
  assert.equal(bootPatience(80), 15_000);
  assert.equal(bootPatience(12_000), 120_000);
});

function trialDirectories(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith("virga-trial-"));
}
