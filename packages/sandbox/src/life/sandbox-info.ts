import { join } from "node:path";
import { errorText, isOfThisBoot, readVm } from "@virga/vm";
import type { ExitReason, HypervisorName, RestoreMode, VmSummary } from "@virga/vm";
import type { SandboxRow } from "../catalog/rows.ts";
import { isLocked } from "../sandbox-lock.ts";
import { findVm } from "./find-vm.ts";
import type { LifeTools } from "./life-tools.ts";
import { operationTimings } from "./operation-timings.ts";
import type { OperationTimings } from "./operation-timings.ts";
import type { SandboxState } from "./sandbox-state.ts";

/** What is known of a sandbox. */
export interface SandboxInfo {
  readonly id: string;
  readonly name: string | null;
  readonly state: SandboxState;
  /** Why, where the state alone does not tell. */
  readonly reason: string | null;
  readonly image: string;
  readonly imageDigest: string | null;
  readonly hypervisor: HypervisorName;
  /** Null without a VM. */
  readonly hypervisorVersion: string | null;
  readonly accelerator: "kvm" | "tcg";
  /** Of its hypervisor; null without one. */
  readonly pid: number | null;
  /** How its VM was restored, and why so; null for one that was booted, and without a VM. */
  readonly restoreMode: RestoreMode | null;
  readonly restoreReason: string | null;
  /** Sandbox it was forked from. */
  readonly parent: string | null;
  /** Snapshot it was made from. */
  readonly snapshot: string | null;
  /** Whether it goes with the process that made it. */
  readonly ephemeral: boolean;
  readonly vcpus: number;
  readonly memoryMib: number;
  /** Null for one that lives in memory. */
  readonly diskMib: number | null;
  readonly network: "none" | "internet";
  readonly balloon: boolean;
  readonly createdAt: string;
  /** Milliseconds per step: of its creation, and of the last pause, resume, suspension, snapshot and fork of it. */
  readonly timings: OperationTimings;
  /** How its VM ended. */
  readonly exit?: ExitReason;
}

/** Tells of a sandbox without a word to its hypervisor: quick, also for many. */
export async function sandboxInfo(tools: LifeTools, row: SandboxRow): Promise<SandboxInfo> {
  const { spec } = row;
  const { vm, damage } = await summaryOf(tools, row.id);
  const [state, reason] =
    damage === undefined ? await stateOf(tools, row, vm) : (["unknown", damage] as const);
  const isThere = vm !== undefined && vm.state !== "ended";
  return {
    id: row.id,
    name: row.name,
    state,
    reason,
    image: spec.image,
    imageDigest: spec.imageDigest,
    hypervisor: spec.hypervisor,
    hypervisorVersion: vm?.hypervisorVersion ?? null,
    accelerator: spec.accelerator,
    pid: (isThere ? vm.process?.pid : undefined) ?? null,
    restoreMode: vm?.restore?.mode ?? null,
    restoreReason: vm?.restore?.reason ?? null,
    parent: row.parent,
    snapshot: row.snapshot,
    ephemeral: row.owner !== null && row.phase !== "creating",
    vcpus: spec.vcpus,
    memoryMib: spec.memoryMib,
    diskMib: spec.diskMib,
    network: spec.network,
    balloon: spec.balloon,
    createdAt: row.createdAt,
    timings: operationTimings(row),
  };
}

/** As {@link sandboxInfo}, with how its VM ended, where it has. */
export async function wholeSandboxInfo(tools: LifeTools, row: SandboxRow): Promise<SandboxInfo> {
  const info = await sandboxInfo(tools, row);
  if (info.state !== "failed") return info;
  const vm = await findVm(tools, row.id);
  if (vm === undefined || (vm.state !== "failed" && vm.state !== "stopped")) return info;
  const exit = await vm.exited;
  return { ...info, exit, reason: info.reason ?? `its VM has ended: ${exit.reason}` };
}

async function summaryOf(
  { home }: LifeTools,
  id: string,
): Promise<{ readonly vm?: VmSummary | undefined; readonly damage?: string }> {
  try {
    return { vm: await readVm(join(home.vms, id)) };
  } catch (error) {
    return { damage: errorText(error) };
  }
}

async function stateOf(
  tools: LifeTools,
  row: SandboxRow,
  vm: VmSummary | undefined,
): Promise<readonly [SandboxState, string | null]> {
  switch (row.phase) {
    case "creating":
      return ["creating", null];
    case "destroying":
      return ["unknown", "it is being destroyed"];
    case "suspended":
      return ["suspended", null];
    case "live":
  }
  if (vm?.state === "running") return ["running", null];
  if (vm?.state === "paused") {
    const isPassing = row.intent?.kind === "snapshot" && !row.intent.wasPaused;
    return [isPassing && (await isLocked(tools.home, row.id)) ? "running" : "paused", null];
  }
  if (vm?.state === "creating") return ["unknown", "its VM is being made"];
  const isOfEarlierBoot = vm?.process !== undefined && !isOfThisBoot(vm.process);
  return ["failed", isOfEarlierBoot ? "lost: the host was restarted" : whyGone(vm)];
}

function whyGone(vm: VmSummary | undefined): string | null {
  return vm === undefined ? "its VM is gone" : null;
}
