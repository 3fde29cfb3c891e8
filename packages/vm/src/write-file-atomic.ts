import { renameSync, writeFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

let counter = 0;

/**
 * Writes a small file by temporary file and rename, mode 0600: a reader sees the old content or the new one, also when this process is killed.
 * `durable` (default) also survives a power cut, and costs a disk flush.
 */
export async function writeFileAtomic(
  path: string,
  data: string,
  options: { readonly durable?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${process.pid}-${counter++}.tmp`;
  try {
    if (options.durable === false) replaceAtOnce(path, temporary, data);
    else await replaceDurably(path, temporary, data);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Without a flush this never waits for the disk: four turns through the thread pool would take ten times as long. */
function replaceAtOnce(path: string, temporary: string, data: string): void {
  writeFileSync(temporary, data, { flag: "wx", mode: 0o600 });
  renameSync(temporary, path);
}

async function replaceDurably(path: string, temporary: string, data: string): Promise<void> {
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(data);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
