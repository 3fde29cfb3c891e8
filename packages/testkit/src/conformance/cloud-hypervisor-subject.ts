import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { cloudHypervisorDriver, errorText, findHypervisor } from "@virga/vm";
import type { VmConfig } from "@virga/vm";
import { testAssets } from "../assets.ts";
import type { TestPlace } from "../leaks/leak-count.ts";
import { prerequisite } from "../prerequisite.ts";
import type { ConformanceSubject } from "./conformance-subject.ts";
import { guestConfig } from "./guest-config.ts";
import { testInitProbe } from "./test-init-probe.ts";

/** Why real guests cannot run here on Cloud Hypervisor, as a test's `skip`; `false` when they can. */
export function cloudHypervisorMissing(): false | string {
  // The lab's tests run once for each driver.
  if (process.env["VIRGA_LAB_DRIVER"] === "qemu") return "this is the pass of QEMU";
  try {
    execFileSync(findHypervisor("cloud-hypervisor"), ["--version"], { stdio: "ignore" });
    closeSync(openSync("/dev/kvm", "r+"));
    return prerequisite("cloud-hypervisor", undefined);
  } catch (error) {
    return prerequisite("cloud-hypervisor", errorText(error));
  }
}

/** A configuration that boots `virga-test-init` on Cloud Hypervisor, with a writable root disk of its own. */
export async function cloudHypervisorConfig(place: TestPlace, id: string): Promise<VmConfig> {
  const config = await guestConfig(place, id, "cloud-hypervisor");
  // Each byte on the console costs an exit from the guest, which are dear in the lab. Panics are shown all the same.
  return { ...config, kernelArguments: ["quiet"] };
}

/** Real guests on Cloud Hypervisor, with anonymous memory and a balloon: the driver's defaults. */
export const cloudHypervisorSubject: ConformanceSubject = {
  hypervisor: "cloud-hypervisor",
  driver: cloudHypervisorDriver,
  launcher: async () => (await testAssets()).launcher,
  config: cloudHypervisorConfig,
  guest: testInitProbe,
  restoreModes: ["on-demand", "copy"],
  hasBalloon: true,
};

/** The same with memory in a file that clones map. */
export const cloudHypervisorFileSubject: ConformanceSubject = {
  ...cloudHypervisorSubject,
  config: async (place, id) => ({
    ...(await cloudHypervisorConfig(place, id)),
    memoryForm: "file",
    balloon: false,
    restoreMode: "shared",
  }),
  restoreModes: ["shared", "copy", "shared"],
  hasBalloon: false,
};
