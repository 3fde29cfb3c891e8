import { execFileSync } from "node:child_process";
import { errorText, findHypervisor, qemuDriver } from "@virga/vm";
import type { VmConfig } from "@virga/vm";
import { testAssets } from "../assets.ts";
import type { TestPlace } from "../leaks/leak-count.ts";
import { prerequisite } from "../prerequisite.ts";
import type { ConformanceSubject } from "./conformance-subject.ts";
import { guestConfig } from "./guest-config.ts";
import { testInitProbe } from "./test-init-probe.ts";

/** Why real guests cannot run here by QEMU, as a test's `skip`; `false` when they can. */
export function qemuMissing(): false | string {
  try {
    execFileSync(findHypervisor("qemu"), ["--version"], { stdio: "ignore" });
    return prerequisite("qemu", undefined);
  } catch (error) {
    return prerequisite("qemu", errorText(error));
  }
}

/** A configuration that boots `virga-test-init` by emulation, with a writable root disk of its own. */
export function qemuConfig(place: TestPlace, id: string): Promise<VmConfig> {
  return guestConfig(place, id, "qemu");
}

/** Real guests, by QEMU's emulation. */
export const qemuSubject: ConformanceSubject = {
  hypervisor: "qemu",
  driver: qemuDriver(),
  launcher: async () => (await testAssets()).launcher,
  config: qemuConfig,
  guest: testInitProbe,
  restoreModes: ["shared", "copy", "shared"],
  hasBalloon: false,
};

/** Why real guests cannot run here by QEMU with KVM, as a test's `skip`; `false` when they can. */
export function qemuKvmMissing(): false | string {
  // A KVM outside the lab may hang ordinary kernels.
  if (process.env["VIRGA_LAB_DRIVER"] !== "qemu") return "this is not the lab's pass of QEMU";
  return qemuMissing();
}

/** Real guests, by QEMU with KVM, in the lab. */
export const qemuKvmSubject: ConformanceSubject = {
  ...qemuSubject,
  driver: qemuDriver({ accelerator: "kvm" }),
  config: async (place, id) => ({
    ...(await qemuConfig(place, id)),
    // Each byte on the console costs an exit from the guest, which are dear in the lab. Panics are shown all the same.
    kernelArguments: ["quiet"],
  }),
};
