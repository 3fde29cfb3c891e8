import { rm } from "node:fs/promises";
import { removeUpper } from "../sandbox-disks.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { dropSnapshot } from "../snapshots/remove-snapshot.ts";
import { dropForkSnapshot } from "./drop-fork-snapshot.ts";
import type { LifeTools } from "./life-tools.ts";

/** Removes what is left of a sandbox whose VM is gone: its disk, its directory, the lock in it included, and its row. To be called under its lock. */
export async function removeSandbox(tools: LifeTools, id: string): Promise<void> {
  const { home, catalog } = tools;
  const row = catalog.sandboxes.get(id);
  const snapshot = row?.snapshot ?? null;
  // One that was being taken of it.
  if (row?.intent?.kind === "snapshot") await dropSnapshot(tools, row.intent.snapshot);
  await removeUpper(home, id);
  await rm(sandboxPaths(home, id).directory, { recursive: true, force: true });
  catalog.sandboxes.delete(id);
  if (snapshot !== null) await dropForkSnapshot(tools, snapshot);
}
