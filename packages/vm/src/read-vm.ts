import { recordPath } from "./directory.ts";
import type { HypervisorName, RestoreMode } from "./config/vm-config.ts";
import { isSameProcess } from "./launch/process-identity.ts";
import type { ProcessIdentity } from "./launch/process-identity.ts";
import { readRecord } from "./record.ts";
import type { VmRecord } from "./record.ts";

/** What a VM's record tells of it. */
export interface VmSummary {
  readonly id: string;
  /** `creating` while a process makes it, `ended` when its hypervisor is gone, else what the last operation left behind. */
  readonly state: "creating" | "running" | "paused" | "ended";
  readonly hypervisor: HypervisorName;
  readonly hypervisorVersion: string;
  readonly accelerator: "kvm" | "tcg";
  /** The hypervisor's process; absent until it was spawned. */
  readonly process: ProcessIdentity | undefined;
  readonly restore:
    | { readonly mode: RestoreMode; readonly reason: string; readonly directory: string }
    | undefined;
}

/**
 * Tells of the VM in `directory` from its record and the list of processes alone: quick, and without a word to its hypervisor. Undefined where there is none;
 * `VM_NOT_OURS` for a record that this version cannot read.
 */
export async function readVm(directory: string): Promise<VmSummary | undefined> {
  const record = await readRecord(recordPath(directory));
  if (record === undefined) return undefined;
  const { build, restore } = record;
  return {
    id: record.id,
    state: stateOf(record),
    hypervisor: build.name,
    hypervisorVersion: build.version,
    accelerator: build.accelerator,
    process: record.process,
    restore,
  };
}

function stateOf({ phase, process, state }: VmRecord): VmSummary["state"] {
  // Before its hypervisor was spawned it is being made.
  const isAlive = process === undefined ? phase === "creating" : isSameProcess(process);
  if (!isAlive) return "ended";
  if (phase === "creating") return "creating";
  return state === "paused" ? "paused" : "running";
}
