import { constants } from "node:fs";
import { copyFile, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { errnoOf } from "../errors.ts";

/** What the file system answers when it cannot share blocks between these two files. */
const NO_REFLINK = new Set(["ENOTSUP", "EOPNOTSUPP", "EXDEV", "EINVAL", "ENOTTY", "ENOSYS"]);

/** Makes a file without a name, which is gone when it is closed. Linux's, not among Node's constants. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Makes `destination`, which must not exist, share the blocks of `source`. False where the file system cannot do that. */
export async function reflink(source: FileHandle, destination: string): Promise<boolean> {
  return isCloned(source, destination, constants.COPYFILE_EXCL);
}

/** Whether copies within this directory can share blocks. Tried with two files that have no names. */
export async function canReflink(directory: string): Promise<boolean> {
  const flags = O_TMPFILE | constants.O_RDWR;
  try {
    await using source = await open(directory, flags, 0o600);
    await using destination = await open(directory, flags, 0o600);
    await source.write("x");
    return await isCloned(source, `/proc/self/fd/${destination.fd}`, 0);
  } catch (error) {
    // No files without names: such a file system shares no blocks either.
    if (NO_REFLINK.has(errnoOf(error) ?? "")) return false;
    throw error;
  }
}

async function isCloned(source: FileHandle, destination: string, mode: number): Promise<boolean> {
  try {
    // Never without _FORCE: Node's fallback is a dense copy, which allocates every hole.
    const force = constants.COPYFILE_FICLONE_FORCE;
    await copyFile(`/proc/self/fd/${source.fd}`, destination, force | mode);
    return true;
  } catch (error) {
    if (NO_REFLINK.has(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
