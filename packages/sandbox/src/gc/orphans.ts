import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import type { Home } from "../home.ts";
import { removeNetwork } from "../network/remove-network.ts";
import { UPPER_SUFFIX, removeUpper } from "../sandbox-disks.ts";
import { isSandboxId } from "../sandbox-id.ts";
import { ownedIds } from "../owners/owner-record.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { whoNeedsSnapshot } from "../snapshots/references.ts";
import { dropSnapshot } from "../snapshots/remove-snapshot.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { treeSize } from "../tree-size.ts";
import { sandboxBytes } from "./dead-sandboxes.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";

/** What is of no value without its row. */
const NOTHING = { reason: "the catalogue knows nothing of it" } as const;

/** What is. */
const ORPHAN = {
  reason: "the catalogue knows nothing of it: removed only with orphans",
  isOrphan: true,
} as const;

/** Something that is there, and of which the catalogue knows nothing. */
interface Unknown {
  readonly kind: "sandbox" | "snapshot";
  readonly id: string;
  /** Whether it may be worth something to the user: it is all there is of it. */
  readonly isOfValue: boolean;
}

/** Files and VMs of sandboxes and snapshots of which the catalogue knows nothing: it was lost, or something else changed it. What is of value without a row is marked. */
export async function orphans(tools: GarbageTools): Promise<Garbage[]> {
  const found: Garbage[] = [];
  for await (const { kind, id, isOfValue } of unknowns(tools)) {
    const bytes = await (kind === "sandbox" ? sandboxBytes : snapshotBytes)(tools, id);
    const removeIt = kind === "sandbox" ? removeSandbox : removeSnapshot;
    const remove = (): Promise<boolean> => removeIt(tools, id);
    found.push({ kind, id, bytes, remove, ...(isOfValue ? ORPHAN : NOTHING) });
  }
  return found;
}

/** Whether there is anything of value of which the catalogue knows nothing. Measures nothing, and looks no further than the first. */
export async function hasOrphans(tools: GarbageTools): Promise<boolean> {
  for await (const { isOfValue } of unknowns(tools)) if (isOfValue) return true;
  return false;
}

/** Files come after rows, and go before them: so what is there before the rows are read, and has none, belongs to nobody. */
async function* unknowns({ home, catalog }: GarbageTools): AsyncGenerator<Unknown> {
  const [vms, disks, directories, networks] = await Promise.all([
    idsIn(home.vms),
    idsOfDisks(home.disks),
    idsIn(home.sandboxes),
    idsIn(home.networks),
  ]);
  const sandboxes = new Set([...vms, ...disks, ...directories, ...networks]);
  const snapshots = await idsIn(home.snapshots);
  const owned = await ownedIds(home);
  const known = new Set([
    ...catalog.sandboxes.list().map(({ id }) => id),
    ...catalog.snapshots.list().map(({ id }) => id),
    // What a row stood for that cannot be read is the user's to remove.
    ...catalog.damaged.list().map(({ id }) => id),
    ...owned,
  ]);
  for (const id of sandboxes) {
    if (known.has(id)) continue;
    const isOfValue = vms.includes(id) || disks.includes(id) || (await wasSuspended(home, id));
    yield { kind: "sandbox", id, isOfValue };
  }
  for (const id of snapshots) if (!known.has(id)) yield { kind: "snapshot", id, isOfValue: true };
}

async function snapshotBytes({ home }: GarbageTools, id: string): Promise<number> {
  return (await treeSize(snapshotPaths(home, id).directory)).realBytes;
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

/** Whether there is memory of a sandbox. */
async function wasSuspended(home: Home, id: string): Promise<boolean> {
  const { directory } = sandboxPaths(home, id);
  return existsSync(directory) && (await readdir(directory)).some((name) => name !== "lock");
}

/** Ids of which there is a directory. A link is none: what it leads to is somebody else's. */
async function idsIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && isSandboxId(entry.name))
    .map(({ name }) => name);
}

/** Ids of which there is a disk. */
async function idsOfDisks(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(UPPER_SUFFIX))
    .map(({ name }) => name.slice(0, -UPPER_SUFFIX.length))
    .filter(isSandboxId);
}
