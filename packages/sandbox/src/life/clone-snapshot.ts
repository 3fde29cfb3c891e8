import { VirgaError } from "@virga/vm";
import type { SandboxRow, SandboxSpec, SnapshotRow } from "../catalog/rows.ts";
import { agentOf, newMachineId } from "../guest/guest-agent.ts";
import type { Host } from "../host.ts";
import { clonedUpper, upperPath } from "../sandbox-disks.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { newSandboxId } from "../sandbox-id.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import type { Timings } from "../timings.ts";
import { makeSandbox, newRow } from "./make-sandbox.ts";
import type { MadeSandbox } from "./make-sandbox.ts";
import { restoreVm } from "./restore-vm.ts";

/** What the options may say about a sandbox that is made from a snapshot: it is as that was. */
const FIXED = [
  "image",
  "hypervisor",
  "vcpus",
  "memoryMib",
  "diskMib",
  "network",
  "balloon",
] as const;

/** What to make of a snapshot. */
export interface CloneSnapshotOptions extends Pick<
  SandboxOptions,
  "name" | "ephemeral" | "env" | "cold" | "warm" | "warmKeep" | "signal" | (typeof FIXED)[number]
> {
  /** Name or id. */
  readonly snapshot: string;
  /** Its row, as {@link cloneRow} makes it, where that is in the catalogue already. */
  readonly row?: SandboxRow;
  readonly timings: Timings;
}

/** Makes a sandbox that goes on from a snapshot, as a machine of its own. `INVALID_CONFIG` for options that contradict the snapshot. */
export async function cloneSnapshot(
  host: Host,
  options: CloneSnapshotOptions,
): Promise<MadeSandbox> {
  const { timings } = options;
  const { catalog, home } = host;
  const snapshot = catalog.snapshots.find(options.snapshot);
  checkOptions(snapshot, options);
  const row = options.row ?? cloneRow(snapshot, options);
  const { id, spec } = row;
  const snapshotDirectory = snapshotPaths(home, snapshot.id).memory;
  return makeSandbox({
    host,
    row,
    isInserted: options.row !== undefined,
    ephemeral: options.ephemeral ?? false,
    timings,
    signal: options.signal,
    // With the row, which keeps it from being removed.
    onInsert: () => checkReady(catalog.snapshots.get(snapshot.id), snapshot),
    makeGuest: async (operation, signal) => {
      if (spec.diskMib !== null) {
        await operation.step("disk", () =>
          clonedUpper(snapshotDirectory, upperPath(home, id), signal),
        );
      }
      const vm = await operation.step("restore", () =>
        restoreVm({ host, id, spec, snapshotDirectory, signal }),
      );
      return { vm, agent: agentOf(vm, host) };
    },
  });
}

/** The row of a clone: a machine of its own. */
export function cloneRow(
  snapshot: SnapshotRow,
  options: Pick<SandboxOptions, "name" | "env"> & { readonly parent?: string },
): SandboxRow {
  const id = newSandboxId();
  const spec: SandboxSpec = {
    ...snapshot.spec,
    env: { ...snapshot.spec.env, ...options.env },
    hostname: id,
    machineId: newMachineId(),
  };
  const { name = null, parent = null } = options;
  return newRow({ id, name, spec, parent, snapshot: snapshot.id });
}

function checkReady(now: SnapshotRow | undefined, { id, name }: SnapshotRow): void {
  if (now?.phase === "ready") return;
  const what = now?.phase === "creating" ? "is still being taken" : "is being removed";
  throw new VirgaError("INVALID_STATE", `Cannot use snapshot "${name ?? id}": it ${what}`, {
    details: { snapshot: id, phase: now?.phase ?? null },
  });
}

function checkOptions({ spec, name, id }: SnapshotRow, options: CloneSnapshotOptions): void {
  const problems: string[] = [];
  for (const field of FIXED) {
    const [wanted, had] = [options[field], spec[field]];
    if (wanted === undefined || wanted === had || wanted === "auto") continue;
    problems.push(`${field} is ${String(wanted)}, and ${String(had)} in the snapshot`);
  }
  if (options.cold === true) problems.push("cold is given, and a snapshot is restored");
  if (options.warm !== undefined) problems.push("warm is given, and there is no template");
  if (options.warmKeep === true) problems.push("warmKeep is given, and there is no template");
  if (problems.length === 0) return;
  throw new VirgaError(
    "INVALID_CONFIG",
    `Cannot make the sandbox from snapshot "${name ?? id}": ${problems.join("; ")}`,
    { details: { snapshot: id, problems } },
  );
}
