import assert from "node:assert/strict";
import { test } from "node:test";
import { useVariable } from "@virga/testkit";
import { runLabTests, type LabMachine, type LabPass } from "./run-lab-tests.ts";
import { summary } from "./test-totals.ts";

const cloudHypervisor: LabPass = { driver: "cloud-hypervisor", kernel: "6.12" };
const both: readonly LabPass[] = [cloudHypervisor, { driver: "qemu", kernel: "6.12" }];
const files = ["packages/vm/test/some.lab.test.ts"];

/** Runs passes of which none can start, and gives what the run prints in the end. */
async function summaryOn(machine: LabMachine, passes: readonly LabPass[]): Promise<string> {
  const { totals, problem } = await runLabTests("/", files, AbortSignal.abort(), {
    passes,
    machine,
  });
  assert.equal(problem, undefined);
  return summary(totals);
}

test("without Cloud Hypervisor the summary says that it was not tested, and why", async (t) => {
  useVariable(t, "VIRGA_REQUIRE", undefined);
  useVariable(t, "VIRGA_CLOUD_HYPERVISOR", undefined);
  const machine: LabMachine = { missing: () => undefined, find: () => undefined };
  assert.equal(
    await summaryOn(machine, [cloudHypervisor]),
    "SKIP 1 x cloud-hypervisor: NOT TESTED, it is neither on PATH nor named by VIRGA_CLOUD_HYPERVISOR\n" +
      "0 passed, 0 failed, 1 skipped\n",
  );
});

test("without the lab every pass is named as skipped, with what to install", async (t) => {
  useVariable(t, "VIRGA_REQUIRE", undefined);
  const machine: LabMachine = {
    missing: () => "the lab needs cpio: as root, apt-get install cpio",
    find: (program) => `/bin/${program}`,
  };
  assert.equal(
    await summaryOn(machine, both),
    "SKIP 2 x lab: the lab needs cpio: as root, apt-get install cpio\n0 passed, 0 failed, 2 skipped\n",
  );
});

test("where it is required, its absence is a failure", async (t) => {
  useVariable(t, "VIRGA_REQUIRE", "cloud-hypervisor");
  useVariable(t, "VIRGA_CLOUD_HYPERVISOR", undefined);
  const machine: LabMachine = { missing: () => undefined, find: () => undefined };
  await assert.rejects(
    summaryOn(machine, [cloudHypervisor]),
    /VIRGA_REQUIRE asks for cloud-hypervisor, which this machine lacks: NOT TESTED/u,
  );
});
