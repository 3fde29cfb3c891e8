import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { basename, isAbsolute } from "node:path";
import { errnoOf } from "./errors.ts";
import { removeMadeParents } from "./snapshot/made-parents.ts";
import { writeFileAtomic } from "./write-file-atomic.ts";

/** What an operation is about to make outside the VM's directory, written down before it does. */
export interface SnapshotIntent {
  readonly operation: "snapshot";
  /** Temporary directory that becomes the snapshot. */
  readonly temporary: string;
  /** The uppermost directory that is made for it to lie in, if any. */
  readonly parent?: string | undefined;
}

/** Writes the intent of the operation that holds the lock. */
export async function writeIntent(path: string, intent: SnapshotIntent): Promise<void> {
  await writeFileAtomic(path, JSON.stringify(intent), { durable: false });
}

/** Removes what an interrupted operation left outside the VM's directory, then its intent. Does nothing where there is none. */
export async function removeIntents(path: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const { temporary, parent } = intentOf(text);
  // Where there is none, the snapshot was published, and its parents are its owner's.
  if (temporary !== undefined && existsSync(temporary)) {
    await rm(temporary, { recursive: true, force: true });
    if (parent !== undefined) await removeMadeParents(temporary, parent);
  }
  await rm(path, { force: true });
}

function intentOf(text: string): Partial<SnapshotIntent> {
  try {
    const { temporary, parent } = JSON.parse(text) as Partial<SnapshotIntent>;
    // Only a name that we give to temporary directories is ever removed.
    if (
      typeof temporary === "string" &&
      isAbsolute(temporary) &&
      /^\..+\.virga-[a-zA-Z0-9]+$/u.test(basename(temporary))
    )
      return { temporary, parent: typeof parent === "string" ? parent : undefined };
  } catch {
    // A damaged intent names nothing that could be removed.
  }
  return {};
}
