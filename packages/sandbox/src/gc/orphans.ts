import { readdir, rm } from "node:fs/promises";
import { removeNetwork } from "../network/remove-network.ts";
import { removeUpper } from "../sandbox-disks.ts";
import { isSandboxId } from "../sandbox-id.ts";
import { ownedIds } from "../owner-record.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { whoNeedsSnapshot } from "../snapshots/references.ts";
import { dropSnapshot } from "../snapshots/remove-snapshot.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { treeSize } from "../tree-size.ts";
import { sandboxBytes } from "./dead-sandboxes.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";

/**
 * Files and VMs of sandboxes and snapshots of which the catalogue knows nothing: it was lost, or something else changed it. Files come after rows, and go before
 * them: so what is there before the rows are read, and has none, belongs to nobody.
 */
export async function orphans(tools: GarbageTools): Promise<Garbage[]> {
  const { home, catalog } = tools;
  const [vms, disks, directories, networks] = await Promise.all(
    [home.vms, home.disks, home.sandboxes, home.networks].map(idsIn),
  );
  const sandboxes = new Set([
    ...(vms ?? []),
    ...(disks ?? []),
    ...(directories ?? []),
    ...(networks ?? []),
  ]);
  const snapshots = await idsIn(home.snapshots);
  const owned = await ownedIds(home);
  const known = new Set([
    ...catalog.sandboxes.list().map(({ id }) => id),
    ...catalog.snapshots.list().map(({ id }) => id),
    // What a row stood for that cannot be read is the user's to remove.
    ...catalog.damaged.list().map(({ id }) => id),
    ...owned,
  ]);
  const reason = "the catalogue knows nothing of it";
  const found: Garbage[] = [];
  for (const id of sandboxes) {
    if (known.has(id)) continue;
    const bytes = await sandboxBytes(tools, id);
    found.push({ kind: "sandbox", id, reason, bytes, remove: () => removeSandbox(tools, id) });
  }
  for (const id of snapshots) {
    if (known.has(id)) continue;
    const bytes = (await treeSize(snapshotPaths(home, id).directory)).realBytes;
    found.push({ kind: "snapshot", id, reason, bytes, remove: () => removeSnapshot(tools, id) });
  }
  return found;
}

async function removeSandbox({ home, manager }: GarbageTools, id: string): Promise<boolean> {
  const outcome = await manager.recoverVm(id);
  // Somebody is at work on it, or it is of another version.
  if (outcome === "busy" || outcome === "foreign") return false;
  if (manager.get(id) !== undefined) await manager.destroy(id);
  await removeNetwork(home, id);
  await removeUpper(home, id);
  await rm(sandboxPaths(home, id).directory, { recursive: true, force: true });
  return true;
}

async function removeSnapshot(tools: GarbageTools, id: string): Promise<boolean> {
  if ((await whoNeedsSnapshot(tools, id)).length > 0) return false;
  await dropSnapshot(tools, id);
  return true;
}

/** Ids of which there is something in a directory: a directory or a disk of that name. */
async function idsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.map((name) => name.replace(/\.ext4$/u, "")).filter(isSandboxId);
}
