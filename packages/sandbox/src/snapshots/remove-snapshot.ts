import { rm } from "node:fs/promises";
import { VirgaError } from "@virga/vm";
import type { SnapshotRow } from "../catalog/rows.ts";
import { isLocked } from "../sandbox-lock.ts";
import { inUseError, whoNeedsSnapshot } from "./references.ts";
import type { ReferenceTools } from "./references.ts";
import { snapshotPaths } from "./snapshot-paths.ts";

/**
 * Removes a snapshot. `IN_USE` names the sandboxes that need it, `INVALID_STATE` says that it is being taken. Where this is cut off, the row says so, and whoever
 * comes next goes on.
 */
export async function removeSnapshot(tools: ReferenceTools, row: SnapshotRow): Promise<void> {
  const { catalog } = tools;
  const { id } = row;
  if (row.phase === "creating" && (await isBeingTaken(tools, row))) {
    throw beingTakenError(row);
  }
  const known = new Set(catalog.sandboxes.clonesOf(id).map((clone) => clone.id));
  // A clone that was whole before this has a record of its VM, which tells what that uses.
  const users = await whoNeedsSnapshot(tools, id);
  if (users.length > 0) throw inUseError(`snapshot "${labelOf(row)}"`, users);
  catalog.transaction(() => {
    const now = catalog.snapshots.get(id);
    if (now === undefined) return;
    // Its maker finished it since that look: it is not what was to go.
    if (row.phase !== "ready" && now.phase === "ready") throw beingTakenError(row);
    const fresh = catalog.sandboxes.clonesOf(id).filter((clone) => !known.has(clone.id));
    if (fresh.length > 0) {
      const newcomers = fresh.map(
        (clone) => ({ kind: "sandbox", id: clone.id, name: null }) as const,
      );
      throw inUseError(`snapshot "${labelOf(row)}"`, newcomers);
    }
    // From here on nobody makes anything of it.
    catalog.snapshots.update(id, { phase: "removing" });
  });
  await dropSnapshot(tools, id);
}

/** Removes what there is of a snapshot that nobody can use any more. */
export async function dropSnapshot({ home, catalog }: ReferenceTools, id: string): Promise<void> {
  await rm(snapshotPaths(home, id).directory, { recursive: true, force: true });
  catalog.snapshots.delete(id);
}

/** Whether somebody is at work on a snapshot that is not whole: the one who holds the sandbox's lock. */
export async function isBeingTaken(tools: ReferenceTools, row: SnapshotRow): Promise<boolean> {
  const sandbox = tools.catalog.sandboxes.get(row.sandbox);
  const isIntended = sandbox?.intent?.kind === "snapshot" && sandbox.intent.snapshot === row.id;
  return isIntended && isLocked(tools.home, row.sandbox);
}

function beingTakenError(row: SnapshotRow): VirgaError {
  return new VirgaError(
    "INVALID_STATE",
    `Cannot remove snapshot "${labelOf(row)}": it is being taken`,
    { details: { id: row.id } },
  );
}

function labelOf({ name, id }: SnapshotRow): string {
  return name ?? id;
}
