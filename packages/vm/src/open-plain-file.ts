import { constants, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { VirgaError } from "./errors.ts";

/**
 * Opens a file that the VMM may write, for reading. A VMM that was taken over must neither hold us up with a pipe nor lead us elsewhere through a link: what
 * is no plain file is refused, by `IO_ERROR` or the system's own error.
 */
export async function openPlainFile(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  throw new VirgaError("IO_ERROR", `${path} is no plain file`, { details: { path } });
}
