import { stat } from "node:fs/promises";
import type { ResolvedVmConfig } from "../config/vm-config.ts";
import { VirgaError } from "../errors.ts";
import type { SnapshotShape } from "./manifest.ts";

/** What a snapshot of this VM, or a restore into this configuration, depends on. Reads the sizes of the disks. */
export async function shapeOf(config: ResolvedVmConfig, isolated: boolean): Promise<SnapshotShape> {
  const disks = await Promise.all(
    config.disks.map(async (disk) => ({
      id: disk.id,
      readonly: disk.readonly,
      bytes: (await stat(disk.path)).size,
    })),
  );
  return {
    vcpus: config.vcpus,
    memoryMib: config.memoryMib,
    balloon: config.balloon,
    guestChannel: config.guestChannel,
    console: config.console,
    mac: config.network?.mac.toLowerCase() ?? null,
    tap: config.network?.tap ?? null,
    isolated,
    disks,
  };
}

/** Fails with `SNAPSHOT_MISMATCH`, naming every difference with both values. */
export function compareShapes(
  snapshot: SnapshotShape,
  config: SnapshotShape,
  directory: string,
): void {
  const differences: { field: string; snapshot: unknown; config: unknown }[] = [];
  const compare = (field: string, left: unknown, right: unknown): void => {
    if (left !== right) differences.push({ field, snapshot: left, config: right });
  };
  for (const field of [
    "vcpus",
    "memoryMib",
    "balloon",
    "guestChannel",
    "console",
    "mac",
    "tap",
  ] as const) {
    compare(field, snapshot[field], config[field]);
  }
  compare("disks.length", snapshot.disks.length, config.disks.length);
  for (const [index, disk] of snapshot.disks.entries()) {
    const other = config.disks[index];
    if (other === undefined) continue;
    for (const field of ["id", "readonly", "bytes"] as const)
      compare(`disks[${index}].${field}`, disk[field], other[field]);
  }
  if (differences.length === 0) return;
  const text = differences
    .map(
      (d) =>
        `${d.field} is ${String(d.snapshot)} in the snapshot, ${String(d.config)} in the configuration`,
    )
    .join("; ");
  throw new VirgaError(
    "SNAPSHOT_MISMATCH",
    `Snapshot ${directory} does not fit the configuration: ${text}`,
    { details: { directory, differences } },
  );
}
