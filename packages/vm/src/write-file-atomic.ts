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
  const durable = options.durable ?? true;
  const temporary = `${path}.${process.pid}-${counter++}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(data);
      if (durable) await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dirname(path));
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
