import { errorText, isVirgaError } from "@virga/vm";
import { removeSnapshot } from "../snapshots/remove-snapshot.ts";
import type { LifeTools } from "./life-tools.ts";

/**
 * Removes a snapshot that was made for a fork, unless one of its clones still needs it. Others stay. Never fails: the clone is gone, and whoever recovers next drops
 * what could not be removed.
 */
export async function dropForkSnapshot(tools: LifeTools, id: string): Promise<void> {
  const { catalog, logger } = tools;
  try {
    const row = catalog.snapshots.get(id);
    if (row?.kind !== "fork" || row.phase === "creating") return;
    await removeSnapshot(tools, row);
  } catch (error) {
    if (isVirgaError(error) && ["IN_USE", "NOT_FOUND"].includes(error.code)) return;
    logger.warn({ snapshot: id, error: errorText(error) }, "cannot remove a fork's snapshot");
  }
}
