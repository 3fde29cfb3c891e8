import { isVirgaError } from "@virga/vm";
import type { SnapshotRow } from "../catalog/rows.ts";
import { leftSnapshots } from "../snapshots/recover-snapshots.ts";
import { whoNeedsSnapshot } from "../snapshots/references.ts";
import { removeSnapshot } from "../snapshots/remove-snapshot.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { treeSize } from "../tree-size.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";

/** Snapshots that were not finished, and those of forks from which no VM goes on any more: a clone that was suspended has all its memory itself. */
export async function spareSnapshots(tools: GarbageTools): Promise<Garbage[]> {
  const { catalog, home } = tools;
  const reasons = new Map<SnapshotRow, string>();
  const left = await leftSnapshots(tools);
  for (const row of catalog.snapshots.list()) {
    const reason = left.find((one) => one.row.id === row.id)?.reason;
    const isFork = row.kind === "fork" && row.phase === "ready";
    const isSpare = reason !== undefined || isFork;
    if (!isSpare || (await whoNeedsSnapshot(tools, row.id)).length > 0) continue;
    reasons.set(row, reason ?? "no clone of the fork needs it any more");
  }
  return Promise.all(
    [...reasons].map(async ([row, reason]) => ({
      kind: "snapshot" as const,
      id: row.id,
      reason,
      bytes: (await treeSize(snapshotPaths(home, row.id).directory)).realBytes,
      remove: () => remove(tools, row),
    })),
  );
}

async function remove(tools: GarbageTools, row: SnapshotRow): Promise<boolean> {
  try {
    await removeSnapshot(tools, row);
    return true;
  } catch (error) {
    if (isVirgaError(error) && (error.code === "IN_USE" || error.code === "INVALID_STATE"))
      return false;
    throw error;
  }
}
