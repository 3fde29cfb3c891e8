import { VirgaError } from "@virga/vm";
import type { SandboxRow, SandboxSpec, SnapshotRow } from "../catalog/rows.ts";
import { agentOf, newMachineId } from "../guest/guest-agent.ts";
import type { Home } from "../home.ts";
import type { Host } from "../host.ts";
import { findImage } from "../images/image.ts";
import { clonedUpper, upperPath } from "../sandbox-disks.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { newSandboxId } from "../sandbox-id.ts";
import { sandboxOptionProblems } from "./sandbox-options.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import type { Timings } from "../timings.ts";
import { makeSandbox, newRow } from "./make-sandbox.ts";
import type { MadeSandbox } from "./make-sandbox.ts";
import { restoreVm } from "./restore-vm.ts";

/** What the options may say about a sandbox that is made from a snapshot, beside its image: it is as that was. */
const FIXED = ["hypervisor", "vcpus", "memoryMib", "diskMib", "network", "balloon"] as const;

/** What to make of a snapshot. */
export interface CloneSnapshotOptions extends SandboxOptions {
  /** Name or id. */
  readonly snapshot: string;
  readonly timings: Timings;
}

/** Makes a sandbox that goes on from a snapshot, as a machine of its own. `INVALID_CONFIG` names all options that are wrong or contradict the snapshot. */
export async function cloneSnapshot(
  host: Host,
  options: CloneSnapshotOptions,
  /** Its row, as {@link cloneRow} makes it, where that is in the catalogue already. */
  inserted?: SandboxRow,
): Promise<MadeSandbox> {
  const { timings } = options;
  const { catalog, home } = host;
  const snapshot = catalog.snapshots.find(options.snapshot);
  await checkOptions(snapshot, options, home);
  const row = inserted ?? cloneRow(snapshot, options);
  const { id, spec } = row;
  const snapshotDirectory = snapshotPaths(home, snapshot.id).memory;
  return makeSandbox({
    host,
    row,
    isInserted: inserted !== undefined,
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

async function checkOptions(
  { spec, name, id }: SnapshotRow,
  options: CloneSnapshotOptions,
  home: Home,
): Promise<void> {
  const problems = sandboxOptionProblems(options);
  const { image } = options;
  if (image !== undefined && !(await isImageOf(spec, image, home)))
    problems.push(`image is ${image}, and ${spec.image} in the snapshot`);
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

/** Whether a name or a digest stands for the snapshot's image; where it stands for nothing any more, whether it is the name that image had. */
async function isImageOf(spec: SandboxSpec, wanted: string, home: Home): Promise<boolean> {
  const digest = await findImage(wanted, home.images).then(
    (image) => image.digest,
    () => null,
  );
  if (digest === undefined || digest === null) return wanted === spec.image;
  return digest === spec.imageDigest;
}
