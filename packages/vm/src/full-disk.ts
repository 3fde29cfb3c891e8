import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { VirgaError, errnoOf, isVirgaError } from "./errors.ts";
import type { VirgaErrorCode } from "./errors.ts";
import { nearestExisting } from "./nearest-existing.ts";

/** Less than this is no room: a record alone takes some pages. */
const ROOM_BYTES = 64 * 1024;

/** What a full disk looks like to whoever meets it: a VMM also dies of it, by SIGBUS, where its memory is a file. */
const SYMPTOMS: readonly VirgaErrorCode[] = [
  "IO_ERROR",
  "LAUNCH_FAILED",
  "TIMEOUT",
  "HYPERVISOR_EXITED",
  "HYPERVISOR_ERROR",
];

/**
 * The same error, which also says that the file system of `directory`, a VM's, is full, where that is so. To be asked before anything is removed there. What
 * was also written `elsewhere` may have met a full disk there: then the error is left as it is.
 */
export async function explainFullDisk(
  error: unknown,
  directory: string,
  elsewhere?: string,
): Promise<unknown> {
  if (!isVirgaError(error) || !SYMPTOMS.includes(error.code)) return error;
  const mayBeElsewhere = elsewhere !== undefined && (await isElsewhere(directory, elsewhere));
  if ((mayBeElsewhere || !saysFull(error)) && !(await isFull(directory))) return error;
  return new VirgaError(
    error.code,
    `${error.message} (ENOSPC: the file system of ${directory} is full)`,
    {
      details: { ...error.details, errno: "ENOSPC", directory },
      cause: error.cause,
      hint: `Free space there, or move the state directory; what VMs need is told by: du -sh ${dirname(directory)}`,
    },
  );
}

function saysFull(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const errno = errnoOf(at);
    if (errno === "ENOSPC" || errno === "EDQUOT") return true;
  }
  return false;
}

async function isElsewhere(directory: string, other: string): Promise<boolean> {
  const [here, there] = [await deviceOf(directory), await deviceOf(other)];
  return here !== there;
}

/** The file system that a path lies on, or will. */
async function deviceOf(path: string): Promise<number> {
  return (await stat(await nearestExisting(path))).dev;
}

async function isFull(directory: string): Promise<boolean> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(await nearestExisting(directory));
    // Some file systems count no inodes.
    return bavail * bsize < ROOM_BYTES || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}
