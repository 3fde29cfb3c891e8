import type { HypervisorName, ProcessIdentity } from "@virga/vm";

/** Where a sandbox is in its life; what its VM does is told by the VM's own record. */
export const SANDBOX_PHASES = ["creating", "live", "suspended", "destroying"] as const;
type SandboxPhase = (typeof SANDBOX_PHASES)[number];

/** What a guest needs before anything is done in it: nothing, `thaw` (frozen for a snapshot or a pause), `init` (restored, and not told yet who it is). */
export const PENDING_THAWS = ["none", "thaw", "init"] as const;
type PendingThaw = (typeof PENDING_THAWS)[number];

/** What a sandbox was made as: enough for any process to restore and fork it, and to run commands in it. */
export interface SandboxSpec {
  /** The image's name, as it was asked for. */
  readonly image: string;
  /** Null for what is built in. */
  readonly imageDigest: string | null;
  readonly hypervisor: HypervisorName;
  readonly accelerator: "kvm" | "tcg";
  readonly vcpus: number;
  readonly memoryMib: number;
  /** Null without a disk of its own. */
  readonly diskMib: number | null;
  /** The image's environment and what the options added. */
  readonly env: Readonly<Record<string, string>>;
  /** The image's user, directory and command. */
  readonly user: string;
  readonly workdir: string;
  readonly command: readonly string[];
  readonly network: "none" | "internet";
  readonly balloon: boolean;
  readonly hostname: string;
  readonly machineId: string;
}

/** An operation with outside effects that was begun: whoever finds it without its process finishes it or takes it back. */
export type SandboxIntent =
  | { readonly kind: "create" | "pause" | "resume" | "destroy" }
  | { readonly kind: "suspend"; readonly wasPaused: boolean }
  | { readonly kind: "snapshot"; readonly snapshot: string; readonly wasPaused: boolean };

/** One sandbox. */
export interface SandboxRow {
  readonly id: string;
  readonly name: string | null;
  readonly phase: SandboxPhase;
  readonly pendingThaw: PendingThaw;
  readonly spec: SandboxSpec;
  /** Sandbox it was forked from. */
  readonly parent: string | null;
  /** Snapshot it was made from. */
  readonly snapshot: string | null;
  /** The process it dies with; while it is being made, the one that makes it. */
  readonly owner: ProcessIdentity | null;
  /** Generation of the suspended state that is its memory, or was the last time. */
  readonly suspended: number | null;
  readonly intent: SandboxIntent | null;
  readonly createdAt: string;
  /** Milliseconds per step, as `life/operation-timings.ts` has it. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Where a snapshot is in its life. */
export const SNAPSHOT_PHASES = ["creating", "ready", "removing"] as const;
type SnapshotPhase = (typeof SNAPSHOT_PHASES)[number];

/** Whether a user asked for a snapshot, or a fork made it for its clones and it goes with them. */
export const SNAPSHOT_KINDS = ["snapshot", "fork"] as const;
type SnapshotKind = (typeof SNAPSHOT_KINDS)[number];

/** One snapshot of a sandbox. */
export interface SnapshotRow {
  readonly id: string;
  readonly name: string | null;
  readonly phase: SnapshotPhase;
  readonly kind: SnapshotKind;
  /** Sandbox it was taken of. */
  readonly sandbox: string;
  readonly spec: SandboxSpec;
  readonly createdAt: string;
  readonly timings: Readonly<Record<string, number>>;
}
