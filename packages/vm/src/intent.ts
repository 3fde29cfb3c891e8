import { readFile, rm } from "node:fs/promises";
import { basename, isAbsolute } from "node:path";
import { errnoOf } from "./errors.ts";
import { writeFileAtomic } from "./write-file-atomic.ts";

/** What an operation is about to make outside the VM's directory, written down before it does. */
export interface SnapshotIntent {
  readonly operation: "snapshot";
  /** Temporary directory that becomes the snapshot. */
  readonly temporary: string;
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
  const temporary = temporaryOf(text);
  if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  await rm(path, { force: true });
}

function temporaryOf(text: string): string | undefined {
  try {
    const { temporary } = JSON.parse(text) as Partial<SnapshotIntent>;
    // Only a name that we give to temporary directories is ever removed.
    if (
      typeof temporary === "string" &&
      isAbsolute(temporary) &&
      /^\..+\.virga-[a-zA-Z0-9]+$/u.test(basename(temporary))
    )
      return temporary;
  } catch {
    // A damaged intent names nothing that could be removed.
  }
  return undefined;
}
