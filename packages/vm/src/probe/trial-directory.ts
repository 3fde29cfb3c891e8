import { existsSync, mkdtempSync } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isVirgaError } from "../errors.ts";
import { tryLock } from "../lock.ts";
import type { HeldLock } from "../lock.ts";

const PREFIX = "virga-trial-";

/** Locked as long as the process lives that made the directory. */
const OWNER_LOCK = "owner.db";

/** A directory for a trial. Should this process be killed, {@link sweepTrialDirectories} of a later one finds it. */
export interface TrialDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes a new trial directory below the system's folder for temporary files. */
export function makeTrialDirectory(): TrialDirectory {
  for (;;) {
    const path = mkdtempSync(join(tmpdir(), PREFIX));
    const lock = lockOf(path);
    // A sweep was quicker.
    if (lock === undefined) continue;
    return { path, remove: () => removeLocked(path, lock) };
  }
}

/** Removes the trial directories of processes that have died, each after `clear` has ended what runs in it. One that cannot be cleared stays, and is told to `onFailure`. */
export async function sweepTrialDirectories(
  clear: (directory: string) => Promise<void>,
  onFailure: (error: unknown, directory: string) => void,
): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const directory = join(tmpdir(), name);
    await sweep(directory, clear).catch((error: unknown) => onFailure(error, directory));
  }
}

async function sweep(path: string, clear: (directory: string) => Promise<void>): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  const isOurs = found?.isDirectory() === true && found.uid === process.getuid?.();
  if (!isOurs || !existsSync(join(path, OWNER_LOCK))) return;
  const lock = lockOf(path);
  if (lock === undefined) return;
  try {
    await clear(path);
    await removeLocked(path, lock);
  } finally {
    lock.release();
  }
}

function lockOf(path: string): HeldLock | undefined {
  try {
    return tryLock(join(path, OWNER_LOCK));
  } catch (error) {
    // Removed meanwhile.
    if (isVirgaError(error) && error.code === "VM_DESTROYED") return undefined;
    throw error;
  }
}

async function removeLocked(path: string, lock: HeldLock): Promise<void> {
  // The lock's file goes with the rest: nobody finds half of it unlocked.
  await rm(path, { recursive: true, force: true });
  lock.release();
}
