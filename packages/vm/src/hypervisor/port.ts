import type { Duplex } from "node:stream";
import type {
  HypervisorName,
  MemoryForm,
  ResolvedVmConfig,
  RestoreMode,
} from "../config/vm-config.ts";
import type { VmLayout } from "../directory.ts";
import type { ExitReason } from "../exit-reason.ts";
import type { SnapshotManifest } from "../snapshot/manifest.ts";

/** What a hypervisor can do, as data. What it cannot do is the error `UNSUPPORTED`, never a silent difference. */
export interface HypervisorCapabilities {
  readonly restoreModes: readonly RestoreMode[];
  readonly memoryForms: readonly MemoryForm[];
  readonly balloon: boolean;
  /** Connections of the guest channel that may be open at the same time. */
  readonly guestConnections: number;
}

/** What a hypervisor binary told of itself when it was asked: the same for everybody who uses it, and kept as long as the file does not change. */
export interface HypervisorBinary {
  readonly name: HypervisorName;
  readonly binary: string;
  /** What it calls itself, e.g. `v53.0-dirty` or `7.2.22 (Debian …)`. */
  readonly version: string;
  /** Comparable: major, minor, patch. */
  readonly numbers: readonly [number, number, number];
  /** Whether it maps a memory file privately that it may only read: QEMU's `rom=off`. False where the question does not arise (Cloud Hypervisor). */
  readonly mapsReadOnly: boolean;
}

/** A hypervisor binary, and how it runs guests here. */
export interface HypervisorBuild extends HypervisorBinary {
  readonly accelerator: "kvm" | "tcg";
}

/** Deadline and abort of one call to a hypervisor. */
export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** All a driver needs to plan and make one VM. */
export interface VmContext {
  readonly config: ResolvedVmConfig;
  readonly layout: VmLayout;
  readonly build: HypervisorBuild;
  /** UUID derived from the VM's id and its launch: QEMU's identity. */
  readonly uuid: string;
}

/** A snapshot as a restore sees it: bound read-only on `layout.inside.snapshot`. */
export interface SnapshotSource {
  readonly manifest: SnapshotManifest;
  readonly mode: RestoreMode;
  /** The published directory on the host. */
  readonly directory: string;
}

/** How to start the VMM's process. */
export interface LaunchPlan {
  /** Program and arguments, with paths as the VMM sees them. */
  readonly argv: readonly [string, ...string[]];
  /** Sockets on the host's side whose stale files must be gone before the launch. */
  readonly staleSockets: readonly string[];
  /** Bytes of the largest file the VMM may have to write, disks aside. Files it maps do not count. */
  readonly largestFileBytes: number;
  /** Where its standard output is appended to, on the host. Default: its log, which is its standard error. */
  readonly stdout?: string;
  /** Files on the host that its descriptors from 4 on append to. */
  readonly descriptors?: readonly string[];
  /** Files on the host that it opens itself, and appends to. Like all output they are made before the launch, so that they cannot grow without end. */
  readonly appends?: readonly string[];
  /** Bind the snapshot writable: a QEMU that does not know `rom=off` opens even a privately mapped file for writing. */
  readonly snapshotWritable?: boolean;
}

/** What the VMM says about itself on its control socket. */
export interface VmmIdentity {
  readonly pid?: number;
  readonly uuid?: string;
  readonly version: string;
}

/** What the VMM says about its VM. `none`: no VM in it yet, or no longer. */
export type VmmState = "none" | "created" | "running" | "paused" | "unknown";

/** A live look into the VMM. */
export interface VmmInfo {
  readonly state: VmmState;
  /** Memory the guest has now: total minus the balloon. Bytes. Absent where the hypervisor does not tell. */
  readonly memoryActualBytes?: number;
}

/** What a driver wrote into `layout.host.out`. */
export interface SnapshotOutput {
  /** Names of the files in `out`, the memory included. */
  readonly files: readonly string[];
  readonly memory: Pick<SnapshotManifest["memory"], "form" | "file" | "bytes">;
  /** Why all memory was saved, and not only what the VM changed over the file it maps; absent where that was enough. */
  readonly wholeBecause?: string;
}

/**
 * The control connection of one VM's VMM. Made without I/O; connects when used. One operation at a time (the manager sees to it); `info` and `ping`
 * may run beside an operation and must not wait for it longer than their deadline.
 * Each method rejects with `TIMEOUT`, `ABORTED`, `HYPERVISOR_ERROR` (it answered with an error; `details.chain` keeps its words), `HYPERVISOR_PROTOCOL`
 * (not understandable) or `HYPERVISOR_EXITED` (nobody answers).
 */
export interface HypervisorControl {
  /** Who answers. */
  ping(options: CallOptions): Promise<VmmIdentity>;
  info(options: CallOptions): Promise<VmmInfo>;
  /** Hands the VM's configuration over. Nothing runs yet. */
  create(options: CallOptions): Promise<void>;
  /** Starts the created VM. */
  boot(options: CallOptions): Promise<void>;
  /** Restores into a VMM launched by `planRestore` and lets the guest run, in the same call where the hypervisor can. */
  restore(source: SnapshotSource, options: CallOptions): Promise<void>;
  pause(options: CallOptions): Promise<void>;
  resume(options: CallOptions): Promise<void>;
  /** Takes `bytes` of memory from the guest; 0 gives all back. */
  setBalloon(bytes: number, options: CallOptions): Promise<void>;
  /** Writes memory and device state of the paused VM into the empty directory `out`. The VM stays paused. */
  snapshot(options: CallOptions): Promise<SnapshotOutput>;
  /** Asks the VMM's process to end at once. Resolves when it was asked; a connection that breaks counts as asked. */
  quit(options: CallOptions): Promise<void>;
  /** Closes connections that are kept open. Idempotent. */
  close(): void;
}

/** How a finished VMM looks to a driver: what the process left behind. */
export interface ExitEvidence {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** End of the VMM's log. */
  readonly logTail: string;
  /** Whether this process asked for the end. */
  readonly requested: boolean;
}

/** A hypervisor driver. Stateless: everything about a VM is in its context, record and directory. */
export interface HypervisorDriver {
  readonly name: HypervisorName;
  /** How it runs guests. The binary does not tell: whoever made the driver chose. */
  readonly accelerator: HypervisorBuild["accelerator"];
  /**
   * Asks the binary for its version and what it can; refuses what is missing (`HYPERVISOR_MISSING`) or older than the floor (`HYPERVISOR_TOO_OLD`). The answer
   * is kept (see `identifyBuild`), so it may cost some starts of the binary, and must not depend on anything but the binary.
   */
  identify(binary: string, options: CallOptions): Promise<HypervisorBinary>;
  capabilities(build: HypervisorBuild): HypervisorCapabilities;
  /** Fails with `UNSUPPORTED` or `INVALID_CONFIG` where this build cannot make this VM. Called before anything is created. */
  check(context: VmContext, source: SnapshotSource | undefined): void;
  /** Files the driver needs in the run directory before the launch (beside disks, kernel and snapshot, which the manager binds). `ABORTED` by the signal. */
  prepareFiles(
    context: VmContext,
    source: SnapshotSource | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void>;
  planBoot(context: VmContext): LaunchPlan;
  planRestore(context: VmContext, source: SnapshotSource): LaunchPlan;
  control(context: VmContext): HypervisorControl;
  /**
   * A connection to the agent in the guest. Retries until the deadline while the guest is not listening yet. `CAPACITY` when all connections are in use
   * until the deadline. `end()` and `destroy()` of the stream release it; there is no half-close.
   */
  connectGuest(context: VmContext, options: CallOptions): Promise<Duplex>;
  /**
   * Watches for a guest event that ends the VM although the VMM lives on (a reboot on Cloud Hypervisor). Calls back once at most. Returns the stop function.
   * Drivers whose VMM exits by itself return a function that does nothing.
   */
  watchGuest(context: VmContext, onEnd: (reason: ExitReason["reason"]) => void): () => void;
  /** What {@link watchGuest} would have told by now: for whoever takes up a VM that nobody watched. Absent where the VMM exits by itself. */
  readonly guestEnd?: (context: VmContext) => Promise<ExitReason["reason"] | undefined>;
  /**
   * Watches a VM that was just booted: `alive` once a program in the guest listens, `hung` when its kernel stands still and will for ever. Absent where no
   * such hang is known. `ABORTED` by the signal, `HYPERVISOR_EXITED` when the VM ends.
   */
  readonly watchBoot?: (
    context: VmContext,
    options: { readonly signal: AbortSignal },
  ) => Promise<"alive" | "hung">;
  /** Why the VMM ended. */
  explainExit(context: VmContext, evidence: ExitEvidence): Promise<ExitReason>;
}
