import { cloudHypervisorDriver, probeHypervisors, qemuDriver } from "@virga/vm";
import type { HypervisorProbe, Logger } from "@virga/vm";
import { machineDirectory } from "./home.ts";
import type { ReadyAssets } from "./setup/ready-cache.ts";

/** How to probe. */
export interface ProbeMachineOptions {
  /** What a trial guest is made from. Without it KVM counts as usable when it can be opened, and the reason says so. */
  readonly assets: Pick<ReadyAssets, "launcher" | "kernel"> | undefined;
  /** Why there are no assets, as the second half of a sentence. */
  readonly untriedBecause?: string | undefined;
  readonly logger?: Logger;
  readonly signal?: AbortSignal | undefined;
}

/** Finds out which ways of running VMs work on this machine, best first. Whether KVM really runs guests is tried once per boot of the machine. */
export function probeMachine(options: ProbeMachineOptions): Promise<HypervisorProbe[]> {
  const { assets, untriedBecause, logger, signal } = options;
  return probeHypervisors({
    drivers: [
      cloudHypervisorDriver,
      qemuDriver({ accelerator: "kvm" }),
      qemuDriver({ accelerator: "tcg" }),
    ],
    // Unused without a kernel to try.
    launcher: assets?.launcher ?? "",
    kernel: assets?.kernel,
    ...(untriedBecause !== undefined && { untriedBecause }),
    cacheDirectory: machineDirectory(),
    ...(logger && { logger }),
    ...(signal && { signal }),
  });
}
