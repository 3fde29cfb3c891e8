import { unknownOptions } from "@virga/guest";
import { VirgaError, machineLimits } from "@virga/vm";
import type { HypervisorName, Logger } from "@virga/vm";
import type { Host } from "../host.ts";
import { BUILT_IN_NAMES, DEFAULT_IMAGE } from "../images/own-images.ts";
import type { NetworkChoice } from "../network/guest-network.ts";
import type { OnProgress } from "../progress.ts";
import type { SetupEvent } from "../setup/setup-options.ts";
import type { WarmUp } from "../templates/warm-up.ts";
import type { Timings } from "../timings.ts";

/** What the built-in image boots with; with less its kernel gives up. */
const MIN_MEMORY_MIB = 96;

/** With less there would be little room beside the journal. */
const MIN_DISK_MIB = 64;
const MAX_DISK_MIB = 16 * 1024 * 1024 - 1;
const DEFAULT_DISK_MIB = 10 * 1024;

/** What sandbox to make. Everything has a default. */
export interface SandboxOptions {
  /** A label of the user's, unique in the state directory: up to 63 of a-z, 0-9 and `-`. Default: none, the id names it. */
  readonly name?: string;
  /** Whether it goes with this process, however that ends. Default false: it stays until it is destroyed. */
  readonly ephemeral?: boolean;
  /** Name or id of a snapshot to go on from. Then it is what that was; the options that describe it may be left out, and must not contradict. */
  readonly snapshot?: string;
  /** Name or digest of an image. Default `busybox`, which is built in. */
  readonly image?: string;
  /** Default `auto`: Cloud Hypervisor, then QEMU with KVM, then QEMU by emulation: the first that works. */
  readonly hypervisor?: HypervisorName | "auto";
  /** Default 1; at most the machine's processors, or 8 where it has fewer. */
  readonly vcpus?: number;
  /** Default 512; at most the machine's memory. */
  readonly memoryMib?: number;
  /** Size of the disk for what the sandbox writes; it takes only what is written. Default 10,240. The built-in image has none: it lives in memory. */
  readonly diskMib?: number;
  /** What it can reach: `none` (default), or `internet`: whatever this machine can, but for its loopback. See `docs/network.md`. QEMU only. */
  readonly network?: NetworkChoice;
  /** Environment of every command, beside `PATH`, `HOME`, `TERM` and the image's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether memory can be taken from it while it runs (`updateBalloon`). Then it has memory of its own, and takes longer to make. Default false. */
  readonly balloon?: boolean;
  /** A command that runs once in the template of its kind, so that what it touched is there in every sandbox. It must leave no process. */
  readonly warm?: readonly string[];
  /** Keeps the processes that `warm` leaves: they go on in every sandbox, with the same random numbers in their memory. */
  readonly warmKeep?: boolean;
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
  name: true,
  ephemeral: true,
  snapshot: true,
  image: true,
  hypervisor: true,
  vcpus: true,
  memoryMib: true,
  diskMib: true,
  network: true,
  env: true,
  balloon: true,
  warm: true,
  warmKeep: true,
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
  readonly diskMib: number;
  readonly network: NetworkChoice;
  readonly balloon: boolean;
  readonly warm: WarmUp | undefined;
  readonly cold: boolean;
}

/** Applies the defaults. `INVALID_CONFIG` names every problem at once. Whether there is such an image is not looked up. */
export function resolveSandboxOptions(options: SandboxOptions): ResolvedSandboxOptions {
  const resolved = applyDefaults(options);
  const problems = sandboxOptionProblems(options, resolved);
  if (problems.length > 0) {
    throw new VirgaError("INVALID_CONFIG", `Cannot make the sandbox: ${problems.join("; ")}`, {
      details: { problems },
    });
  }
  return resolved;
}

/** What is wrong with options by themselves, each in a few words; for the resolving and for sandboxes that are made from a snapshot. */
export function sandboxOptionProblems(
  options: SandboxOptions,
  resolved: ResolvedSandboxOptions = applyDefaults(options),
): string[] {
  const { image, hypervisor, vcpus, memoryMib, diskMib } = resolved;
  const problems = unknownOptions(options, KNOWN);
  // Then the snapshot tells what its image has.
  const ofSnapshot = options.snapshot !== undefined;
  if (!["auto", "cloud-hypervisor", "qemu"].includes(hypervisor)) {
    problems.push(`hypervisor is "${hypervisor}": it is auto, cloud-hypervisor or qemu`);
  }
  if (resolved.network !== "none" && resolved.network !== "internet") {
    problems.push(`network is "${String(resolved.network)}": it is none or internet`);
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
  if (!Number.isSafeInteger(diskMib) || diskMib < MIN_DISK_MIB || diskMib > MAX_DISK_MIB) {
    problems.push(
      `diskMib is ${diskMib}: it is a whole number from ${MIN_DISK_MIB} to ${MAX_DISK_MIB}`,
    );
  } else if (!ofSnapshot && options.diskMib !== undefined && BUILT_IN_NAMES.includes(image)) {
    problems.push(`diskMib is given, and the image ${image} has no disk: it lives in memory`);
  }
  problems.push(...warmProblems(options));
  return problems;
}

function applyDefaults(options: SandboxOptions): ResolvedSandboxOptions {
  return {
    image: options.image ?? DEFAULT_IMAGE,
    hypervisor: options.hypervisor ?? "auto",
    vcpus: options.vcpus ?? 1,
    memoryMib: options.memoryMib ?? 512,
    diskMib: options.diskMib ?? DEFAULT_DISK_MIB,
    network: options.network ?? "none",
    balloon: options.balloon ?? false,
    warm:
      options.warm === undefined
        ? undefined
        : { command: options.warm, keep: options.warmKeep ?? false },
    cold: options.cold ?? false,
  };
}

function warmProblems({ warm, warmKeep, cold }: SandboxOptions): string[] {
  if (warm === undefined) {
    return warmKeep === true ? ["warmKeep is given without warm, whose processes it keeps"] : [];
  }
  const problems: string[] = [];
  const isCommand =
    Array.isArray(warm) && warm.every((word) => typeof word === "string") && warm[0] !== undefined;
  if (!isCommand || warm[0] === "") {
    problems.push("warm is no command: it is a list of a program and its arguments");
  }
  if (cold === true) problems.push("warm is given, and cold makes no template to run it in");
  return problems;
}
