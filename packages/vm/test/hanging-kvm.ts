import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { testProgram, useVariable, type TestPlace } from "@virga/testkit";
import type { HypervisorDriver } from "../src/hypervisor/port.ts";
import type { ProbeOptions } from "../src/probe/probe-hypervisors.ts";

/** A machine whose KVM can be opened: what probing it needs but for the kernel. A trial may take its time to start, and has a moment for its boot. */
export async function kvmMachine(
  t: TestContext,
  place: TestPlace,
  drivers: readonly HypervisorDriver[],
): Promise<Omit<ProbeOptions, "kernel">> {
  const kvmDevice = join(place.scratch, "kvm");
  writeFileSync(kvmDevice, "");
  // Trials lie in the system's folder for temporary files, where those of other tests may lie too.
  useVariable(t, "TMPDIR", place.scratch);
  const launcher = await testProgram("launcher");
  const cacheDirectory = join(place.scratch, "verdicts");
  return { drivers, launcher, cacheDirectory, kvmDevice, trialMs: 60_000, trialBootMs: 200 };
}
