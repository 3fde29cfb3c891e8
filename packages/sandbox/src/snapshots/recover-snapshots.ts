import { errorText, isVirgaError } from "@virga/vm";
import type { Logger } from "@virga/vm";
import type { SnapshotRow } from "../catalog/rows.ts";
import type { ReferenceTools } from "./references.ts";
import { isBeingTaken, removeSnapshot } from "./remove-snapshot.ts";

/**
 * Removes snapshots that dead processes left half taken or half removed, and those of forks whose clones are all gone. Best effort: what cannot be removed now is
 * logged, and the next call tries again. Gives the ids of those that are gone.
 */
export async function recoverSnapshots(
  tools: ReferenceTools & { readonly logger: Logger },
): Promise<string[]> {
  const gone: string[] = [];
  for (const { row, reason } of await leftSnapshots(tools)) {
    try {
      await removeSnapshot(tools, row);
      gone.push(row.id);
      tools.logger.info({ snapshot: row.id, reason }, "removed a snapshot that was left behind");
    } catch (error) {
      // Somebody needs it, or it has become whole meanwhile.
      if (isVirgaError(error) && ["IN_USE", "INVALID_STATE"].includes(error.code)) continue;
      tools.logger.warn(
        { snapshot: row.id, error: errorText(error) },
        "cannot remove a snapshot now",
      );
    }
  }
  return gone;
}

/** Snapshots that are to go, with the reason; some may still be in use. */
export async function leftSnapshots(
  tools: ReferenceTools,
): Promise<{ readonly row: SnapshotRow; readonly reason: string }[]> {
  const { catalog } = tools;
  const left: { row: SnapshotRow; reason: string }[] = [];
  for (const row of catalog.snapshots.unfinished()) {
    if (row.phase === "removing") left.push({ row, reason: "its removal was not finished" });
    else if (!(await isBeingTaken(tools, row)))
      left.push({ row, reason: "the process that took it has died" });
  }
  for (const row of catalog.snapshots.idleForks())
    left.push({ row, reason: "no clone of the fork is left" });
  return left;
}
