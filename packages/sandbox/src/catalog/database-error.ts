import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { VirgaError, errnoOf, errorText, isVirgaError, virgaCommand } from "@virga/vm";

/** SQLite's primary result codes that tell apart what a user can do. */
const BUSY = 5;
const LOCKED = 6;
const IO = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NO_DATABASE = 26;

/** Less than this is no room: SQLite needs some pages beside the database. */
const ROOM_BYTES = 256 * 1024;

/** Whether an error says that the file system of the database is full. SQLite itself does not always say so. */
export function isFull(error: unknown, path: string): boolean {
  const code = primaryCode(error);
  if (code === FULL || errnoOf(error) === "ENOSPC") return true;
  if (code !== IO && code !== CANNOT_OPEN) return false;
  try {
    const { bavail, bsize, files, ffree } = statfsSync(dirname(path));
    return bavail * bsize < ROOM_BYTES || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}

/** What an error of SQLite's means to whoever uses the catalogue at `path`. Other errors are given back. */
export function explainDatabaseError(error: unknown, path: string): unknown {
  const code = primaryCode(error);
  if (code === undefined && (isVirgaError(error) || errnoOf(error) === undefined)) return error;
  const options = { cause: error, details: { path } };
  if (code === BUSY || code === LOCKED) {
    return new VirgaError(
      "VM_BUSY",
      `Cannot use the catalogue ${path}: another process is in the middle of a change to it`,
      { ...options, hint: "Is a process of Virga stopped? End it or let it go on." },
    );
  }
  if (code === CORRUPT || code === NO_DATABASE) return damagedError(path, errorText(error), error);
  if (isFull(error, path)) {
    return new VirgaError(
      "IO_ERROR",
      `Cannot write the catalogue ${path} (ENOSPC: its file system is full)`,
      {
        ...options,
        details: { path, errno: "ENOSPC" },
        hint: `Free space there: ${virgaCommand("gc")}, or ${virgaCommand("rm")} of a sandbox you do not need.`,
      },
    );
  }
  return new VirgaError(
    "IO_ERROR",
    `Cannot use the catalogue ${path}: ${errorText(error)}`,
    options,
  );
}

/** The error of a catalogue that is no good any more. */
export function damagedError(path: string, why: string, cause?: unknown): VirgaError {
  return new VirgaError("IO_ERROR", `The catalogue ${path} is damaged: ${why}`, {
    cause,
    details: { path, damaged: true },
    hint: `Put a copy of yours back, or begin a new one: mv ${path} ${path}.damaged; VMs run on, and ${virgaCommand("rm")} takes their ids, but names, settings and what is suspended are only in it.`,
  });
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
