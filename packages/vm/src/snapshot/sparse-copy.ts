import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { VirgaError, abortedError, errnoOf, errorText, isVirgaError } from "../errors.ts";
import { openPlainFile } from "../open-plain-file.ts";
import { reflink } from "./reflink.ts";

/** Options of {@link copySparse}. */
export interface SparseCopyOptions {
  /** Abandons the copy and removes the destination. */
  readonly signal?: AbortSignal | undefined;
  /** Permissions of the destination. Default 0600. */
  readonly mode?: number;
}

const MAX_COMPLAINT_BYTES = 4096;

/** What cp says of a disk that is full, and its errno: there may be room again once the destination has been removed. */
const COMPLAINTS = [
  ["No space left on device", "ENOSPC"],
  ["Disk quota exceeded", "EDQUOT"],
] as const;

/**
 * Copies a sparse file to `destination`, which must not exist, without filling its holes: by reflink where the file system can, else by data extents.
 * Tells which. Does not sync. After a failure the destination is gone.
 *
 * Both may lie where a VMM can write: a link in place of the source is refused, and none is followed that takes the place of the destination meanwhile.
 *
 * Rejects with `ABORTED`, or `IO_ERROR` (`details.errno` where there is one).
 */
export async function copySparse(
  source: string,
  destination: string,
  options: SparseCopyOptions = {},
): Promise<"reflink" | "extents"> {
  const { signal, mode = 0o600 } = options;
  const what = `copying ${source} to ${destination}`;
  if (signal?.aborted === true) throw abortedError(what, signal);
  const fail = (error: unknown): never => {
    throw isVirgaError(error) && error.code === "ABORTED"
      ? error
      : ioError(source, destination, errorText(error), error);
  };
  const from = await openPlainFile(source).catch(fail);
  try {
    if (await reflink(from, destination).catch(fail)) {
      await undoUnless(destination, () => setMode(destination, mode)).catch(fail);
      return "reflink";
    }
    await undoUnless(destination, async () => {
      await copyExtents(from, destination, what, signal);
      await setMode(destination, mode);
    }).catch(fail);
    return "extents";
  } finally {
    await from.close();
  }
}

async function setMode(path: string, mode: number): Promise<void> {
  const file = await openPlainFile(path);
  try {
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

async function undoUnless(destination: string, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    await rm(destination, { force: true });
    throw error;
  }
}

/**
 * GNU cp as a child, because Node has no SEEK_DATA: reading every hole of a 10 GiB disk takes 0.8 s, cp needs 10 ms
 * (512 MiB of memory with 80 MB of data: 100–250 ms against 40). It makes the file itself: one that was there, though empty, it would truncate, and ext4
 * allocates what was written to a truncated file when that is closed (80 MB: 170 ms instead of 70). What has taken the name meanwhile is removed, and a link
 * that takes it after that is refused.
 */
function copyExtents(
  source: FileHandle,
  destination: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      "cp",
      [
        "--sparse=always",
        "--reflink=never",
        "--remove-destination",
        "--no-target-directory",
        "--",
        "/proc/self/fd/0",
        destination,
      ],
      // With POSIXLY_CORRECT it would write through a link that leads nowhere yet.
      {
        stdio: [source.fd, "ignore", "pipe"],
        env: { ...process.env, LC_ALL: "C", POSIXLY_CORRECT: undefined },
      },
    );
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT_BYTES);
    });
    let spawnFailure: unknown;
    child.on("error", (error) => {
      spawnFailure ??= error;
    });
    const kill = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    if (signal?.aborted === true) kill();
    // Only `close` says that nobody writes to the destination any more.
    child.on("close", (code, endedBy) => {
      signal?.removeEventListener("abort", kill);
      if (signal?.aborted === true) reject(abortedError(what, signal));
      else if (code === 0) resolve();
      else if (spawnFailure !== undefined) {
        reject(new Error(`cannot run cp: ${errorText(spawnFailure)}`, { cause: spawnFailure }));
      } else {
        const reason = complaint.trim() || `cp ended with ${endedBy ?? `exit code ${code}`}`;
        const errno = COMPLAINTS.find(([words]) => reason.endsWith(words))?.[1];
        reject(Object.assign(new Error(reason), errno !== undefined && { code: errno }));
      }
    });
  });
}

function ioError(source: string, destination: string, reason: string, cause: unknown): VirgaError {
  return new VirgaError("IO_ERROR", `Cannot copy ${source} to ${destination}: ${reason}`, {
    cause,
    details: { source, destination, errno: errnoOf(cause) ?? null },
    hint: "Check the free space of the destination, and that GNU coreutils (cp) is installed.",
  });
}
