import { isVirgaError } from "@virga/vm";
import { removeSnapshot } from "../snapshots/remove-snapshot.ts";
import type { LifeTools } from "./life-tools.ts";

/** Removes a snapshot that was made for a fork, unless one of its clones still needs it. Others stay. */
export async function dropForkSnapshot(tools: LifeTools, id: string): Promise<void> {
  const row = tools.catalog.snapshots.get(id);
  if (row?.kind !== "fork" || row.phase === "creating") return;
  try {
    await removeSnapshot(tools, row);
  } catch (error) {
    const isNeeded = isVirgaError(error) && ["IN_USE", "NOT_FOUND"].includes(error.code);
    if (!isNeeded) throw error;
  }
}
