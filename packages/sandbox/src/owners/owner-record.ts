import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isVmId } from "@virga/vm";
import type { ProcessIdentity } from "@virga/vm";
import type { Home } from "../home.ts";
import { isProcessIdentity } from "./is-process-identity.ts";
import { namesIn } from "../names-in.ts";
import { isDeadOwner, thisOwner } from "./owner-alive.ts";

const FORMAT = 1;
const SUFFIX = ".json";

/** Added to the name while a record is written. */
const UNFINISHED = ".new";

/** By then whoever writes a file of a few bytes has done so, or is dead. */
const WRITTEN_MS = 3_600_000;

/** What a VM is for whose life is bound to one process. */
export type OwnedPurpose = "sandbox" | "template";

/** Says that a VM must not outlive the process that made it. */
export interface OwnerRecord {
  readonly format: typeof FORMAT;
  /** Id of the VM. */
  readonly id: string;
  readonly purpose: OwnedPurpose;
  readonly owner: ProcessIdentity;
}

/** An owner record on disk. */
export interface Ownership {
  /** Removes the record. To be called when nothing of the VM is left. */
  release(): Promise<void>;
}

/** Where owner records are: with the state and not with what a reboot empties, because the directories of VMs outlive a reboot too. */
function ownersDirectory(home: Home): string {
  return join(home.state, "owners");
}

/** Binds VM `id` to this process, before anything of the VM exists. */
export async function ownVm(home: Home, id: string, purpose: OwnedPurpose): Promise<Ownership> {
  const owner = thisOwner();
  const directory = ownersDirectory(home);
  const path = join(directory, id + SUFFIX);
  const record: OwnerRecord = { format: FORMAT, id, purpose, owner };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Renamed, so that a reader never sees half of it. Not synced: after a power cut no VM is alive.
  await writeFile(path + UNFINISHED, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(path + UNFINISHED, path);
  return { release: () => rm(path, { force: true }) };
}

/**
 * Gives the records of VMs whose owner is surely dead. One of another pid namespace of this boot may live: it is left alone. A record that its owner died
 * over is removed, but for whoever only looks (`sweep: false`): of its VM there is nothing yet.
 */
export async function deadOwners(
  home: Home,
  { sweep = true }: { readonly sweep?: boolean } = {},
): Promise<OwnerRecord[]> {
  const directory = ownersDirectory(home);
  const dead: OwnerRecord[] = [];
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    if (sweep && name.endsWith(SUFFIX + UNFINISHED)) await sweepUnfinished(path);
    const record = name.endsWith(SUFFIX) ? await readOwner(path) : undefined;
    if (record === undefined || `${record.id}${SUFFIX}` !== name) continue;
    if (isDeadOwner(record.owner)) dead.push(record);
  }
  return dead;
}

/** Paths of records that this version cannot read: of another one, or damaged. Nothing is removed on their word. */
export async function unreadableOwners(home: Home): Promise<string[]> {
  const directory = ownersDirectory(home);
  const paths: string[] = [];
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    if (!name.endsWith(SUFFIX) || (await readOwner(path)) !== undefined) continue;
    // One that was removed meanwhile is none.
    if (await stat(path).catch(() => undefined)) paths.push(path);
  }
  return paths;
}

async function sweepUnfinished(path: string): Promise<void> {
  const record = await readOwner(path);
  const isStale =
    record === undefined
      ? Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now()) > WRITTEN_MS
      : isDeadOwner(record.owner);
  if (isStale) await rm(path, { force: true });
}

/** Ids of the VMs that have a record, whether their owners live or not. */
export async function ownedIds(home: Home): Promise<Set<string>> {
  const names = await namesIn(ownersDirectory(home));
  return new Set(names.map((name) => name.split(".")[0] ?? name));
}

/** Removes the record of a VM of which nothing is left. */
export async function forgetOwner(home: Home, id: string): Promise<void> {
  await rm(join(ownersDirectory(home), id + SUFFIX), { force: true });
}

async function readOwner(path: string): Promise<OwnerRecord | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch {
    // Removed meanwhile, or not ours: nothing is removed on its word.
    return undefined;
  }
  const record = value as Partial<OwnerRecord> | null;
  const known =
    record?.format === FORMAT &&
    typeof record.id === "string" &&
    isVmId(record.id) &&
    (record.purpose === "sandbox" || record.purpose === "template") &&
    isProcessIdentity(record.owner);
  return known ? (record as OwnerRecord) : undefined;
}
