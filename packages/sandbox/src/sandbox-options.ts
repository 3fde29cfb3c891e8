import { unknownOptions } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import type { HypervisorName, Logger } from "@virga/vm";
import type { Host } from "./host.ts";
import { DEFAULT_IMAGE, findImage } from "./images/image.ts";
import { machineLimits } from "./machine-limits.ts";
import type { OnProgress } from "./progress.ts";
import type { SetupEvent } from "./setup/setup-options.ts";
import type { Timings } from "./timings.ts";

/** What the built-in image boots with; with less its kernel gives up. */
const MIN_MEMORY_MIB = 96;

/** What sandbox to make. Everything has a default. */
export interface SandboxOptions {
  /** Default `busybox`, which is built in; others are not known yet. */
  readonly image?: string;
  /** Default `auto`: Cloud Hypervisor, then QEMU with KVM, then QEMU by emulation: the first that works. */
  readonly hypervisor?: HypervisorName | "auto";
  /** Default 1; at most the machine's processors, or 8 where it has fewer. */
  readonly vcpus?: number;
  /** Default 512; at most the machine's memory. */
  readonly memoryMib?: number;
  /** Environment of every command, beside `PATH`, `HOME` and `TERM`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Boots the guest instead of restoring a template. */
  readonly cold?: boolean;
  /** Where to make it. Default: this machine, opened for this sandbox with the logger and the progress given here. */
  readonly host?: Host;
  readonly logger?: Logger;
  /** Told of work that takes long: the making of a template. */
  readonly onProgress?: OnProgress;
  /** Told of the set-up of this machine, where something was missing. */
  readonly onSetup?: (event: SetupEvent) => void;
  /** Counts until the sandbox is there, not after. */
  readonly signal?: AbortSignal;
  /** Where to note how long each step took. */
  readonly timings?: Timings;
}

const KNOWN: Readonly<Record<keyof SandboxOptions, true>> = {
  image: true,
  hypervisor: true,
  vcpus: true,
  memoryMib: true,
  env: true,
  cold: true,
  host: true,
  logger: true,
  onProgress: true,
  onSetup: true,
  signal: true,
  timings: true,
};

/** The options that describe the sandbox, with their defaults. */
export interface ResolvedSandboxOptions {
  readonly image: string;
  readonly hypervisor: HypervisorName | "auto";
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly cold: boolean;
}

/** Applies the defaults. `INVALID_CONFIG` names every problem at once; `NOT_FOUND` for an image that is not known. */
export function resolveSandboxOptions(options: SandboxOptions): ResolvedSandboxOptions {
  const resolved: ResolvedSandboxOptions = {
    image: options.image ?? DEFAULT_IMAGE,
    hypervisor: options.hypervisor ?? "auto",
    vcpus: options.vcpus ?? 1,
    memoryMib: options.memoryMib ?? 512,
    cold: options.cold ?? false,
  };
  const { image, hypervisor, vcpus, memoryMib } = resolved;
  const problems = unknownOptions(options, KNOWN);
  if (!["auto", "cloud-hypervisor", "qemu"].includes(hypervisor)) {
    problems.push(`hypervisor is "${hypervisor}": it is auto, cloud-hypervisor or qemu`);
  }
  const wholeNumber = (name: string, value: number, least: number, limit: number): void => {
    if (Number.isSafeInteger(value) && value >= least && value <= limit) return;
    problems.push(
      `${name} is ${value}: it is a whole number from ${least} to ${limit} on this machine`,
    );
  };
  const most = machineLimits();
  wholeNumber("vcpus", vcpus, 1, most.vcpus);
  wholeNumber("memoryMib", memoryMib, MIN_MEMORY_MIB, most.memoryMib);
  if (problems.length > 0) {
    throw new VirgaError("INVALID_CONFIG", `Cannot make the sandbox: ${problems.join("; ")}`, {
      details: { problems },
    });
  }
  findImage(image);
  return resolved;
}
