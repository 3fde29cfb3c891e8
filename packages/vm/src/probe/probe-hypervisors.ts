import { realpath } from "node:fs/promises";
import { DEFAULT_TIMEOUTS, findHypervisor } from "../config/defaults.ts";
import type { HypervisorName } from "../config/vm-config.ts";
import { VirgaError, errorText } from "../errors.ts";
import type { HypervisorBuild, HypervisorDriver } from "../hypervisor/port.ts";
import { identifyBuild } from "../identify-build.ts";
import { silentLogger } from "../logger.ts";
import type { Logger } from "../logger.ts";
import { virgaCommand } from "../virga-command.ts";
import { KVM_DEVICE, cachedVerdict, kvmPresent } from "./kvm-verdict.ts";
import { trialBoot } from "./trial-boot.ts";
import type { TrialBoot } from "./trial-boot.ts";

/** One way of running VMs on this machine, and whether it works. */
export interface HypervisorProbe {
  readonly name: HypervisorName;
  readonly accelerator: "kvm" | "tcg";
  /** Null where the binary is missing or does not tell. */
  readonly version: string | null;
  readonly binary: string | null;
  /** As {@link HypervisorBuild.mapsReadOnly}; null where the binary is missing or does not tell. */
  readonly mapsReadOnly: boolean | null;
  readonly usable: boolean;
  /** Why, or why not, in one sentence. */
  readonly reason: string;
}

/** What probing needs. */
export interface ProbeOptions {
  /** One driver for each way, in the order of preference. */
  readonly drivers: readonly HypervisorDriver[];
  readonly launcher: string;
  /** Kernel for the trial boot; without one, KVM counts as usable when it can be opened, and the reason says so. */
  readonly kernel: string | undefined;
  /** Why there is no kernel, as the second half of a sentence. */
  readonly untriedBecause?: string;
  /** Where verdicts are kept: a directory that is emptied when the machine boots. */
  readonly cacheDirectory: string;
  /** How long the start of a trial guest may take. Default 60,000: less would take a busy machine for a broken one. */
  readonly trialMs?: number;
  /** How long a started trial guest may take for its boot. Default: 15,000, or ten times what its start took. */
  readonly trialBootMs?: number;
  /** Default: the machine's, `/dev/kvm`. */
  readonly kvmDevice?: string;
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
}

const TRIAL_MS = 60_000;

/** Probes every way of running VMs, in the order of preference. A verdict on KVM is made by really booting a guest, once per boot of the machine. */
export async function probeHypervisors(options: ProbeOptions): Promise<HypervisorProbe[]> {
  const present = kvmPresent(options.kvmDevice ?? KVM_DEVICE);
  // What holds for every hypervisor: there is no KVM, it runs guests, or they hang in it.
  let kvm: TrialBoot | undefined = present.ok ? undefined : present;
  let failure: string | undefined = present.ok ? undefined : notUsable(present);
  const probes: HypervisorProbe[] = [];
  for (const driver of options.drivers) {
    const { accelerator } = driver;
    // In turn: what one way shows of KVM holds for the next.
    // oxlint-disable-next-line no-await-in-loop
    const build = await identify(driver, options);
    if (typeof build === "string") {
      probes.push({
        name: driver.name,
        accelerator,
        version: null,
        binary: null,
        mapsReadOnly: null,
        usable: false,
        reason: build,
      });
      continue;
    }
    const { name, version, binary, mapsReadOnly } = build;
    const facts = { name, accelerator, version, binary, mapsReadOnly };
    if (accelerator === "tcg") {
      probes.push({ ...facts, usable: true, reason: emulationReason(failure) });
      continue;
    }
    // oxlint-disable-next-line no-await-in-loop
    const verdict = kvm ?? (await tryKvm(options, driver, build));
    if (verdict.ok || verdict.hung === true) kvm = verdict;
    // One that fails by itself says nothing of KVM: the next one is tried too.
    const reason = verdict === kvm ? notUsable(verdict) : `no guest runs in it: ${verdict.reason}`;
    if (!verdict.ok) failure = kvm === undefined ? `${name} with KVM: ${reason}` : reason;
    probes.push({ ...facts, usable: verdict.ok, reason: verdict.ok ? verdict.reason : reason });
  }
  return probes;
}

/** The first usable way, of the hypervisor asked for. `UNSUPPORTED` tells why none is. */
export function chooseHypervisor(
  probes: readonly HypervisorProbe[],
  wanted: HypervisorName | "auto",
): HypervisorProbe {
  const candidates = probes.filter((probe) => wanted === "auto" || probe.name === wanted);
  const chosen = candidates.find((probe) => probe.usable);
  if (chosen !== undefined) return chosen;
  const reasons = candidates
    .map((probe) => `${probe.name} (${probe.accelerator}): ${probe.reason}`)
    .join("; ");
  throw new VirgaError(
    "UNSUPPORTED",
    `No usable hypervisor${wanted === "auto" ? "" : ` for ${wanted}`}: ${reasons === "" ? "none is known" : reasons}`,
    {
      details: { wanted, probes: candidates },
      hint: `Run: ${virgaCommand("doctor")}`,
    },
  );
}

/** The way that is taken when KVM is not: whoever is given it learns why. */
function emulationReason(failure: string | undefined): string {
  const emulation = "emulation works everywhere, slowly";
  return failure === undefined ? emulation : `${emulation}; ${failure}`;
}

function notUsable({ reason }: TrialBoot): string {
  return `KVM is not usable: ${reason}`;
}

async function identify(
  driver: HypervisorDriver,
  { cacheDirectory, signal }: ProbeOptions,
): Promise<HypervisorBuild | string> {
  try {
    const limits = { timeoutMs: DEFAULT_TIMEOUTS.callMs, signal };
    return await identifyBuild(driver, findHypervisor(driver.name), cacheDirectory, limits);
  } catch (error) {
    return errorText(error);
  }
}

async function tryKvm(
  options: ProbeOptions,
  driver: HypervisorDriver,
  build: HypervisorBuild,
): Promise<TrialBoot> {
  const { kernel, launcher, signal, untriedBecause = "there is no kernel yet" } = options;
  if (kernel === undefined)
    return {
      ok: true,
      reason: `${options.kvmDevice ?? KVM_DEVICE} can be opened; no guest was tried: ${untriedBecause}`,
    };
  // State directories may share a kernel by links; a trial that hangs costs its whole time.
  const key = [driver.name, build.version, await realpath(kernel).catch(() => kernel)];
  return cachedVerdict(options.cacheDirectory, key, () =>
    trialBoot({
      driver,
      binary: build.binary,
      launcher,
      kernel,
      timeoutMs: options.trialMs ?? TRIAL_MS,
      ...(options.trialBootMs !== undefined && { bootTimeoutMs: options.trialBootMs }),
      logger: options.logger ?? silentLogger,
      signal,
    }),
  );
}
