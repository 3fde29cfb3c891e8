import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { VirgaError, abortedError } from "./errors.ts";

/** A lock that is held. The kernel releases it when this process dies. */
export interface HeldLock {
  /** Idempotent. */
  release(): void;
}

/** How long to try for a lock, and how to give up. */
export interface LockOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What is locked, for the error's sentence. */
  readonly what: string;
}

/** `exclusive`: one holder. `shared`: any number of holders, and no exclusive one meanwhile. */
export type LockMode = "exclusive" | "shared";

const BACK_OFF_MS = [1, 2, 5, 10, 20, 50] as const;

/**
 * Takes the lock file `path` at once, or returns undefined when another holder stands against it. Makes the file if it is absent.
 *
 * The lock is an exclusive transaction of SQLite: POSIX record locks, which Node itself cannot take, and which the holder's children do not inherit.
 * SQLite's own waiting is not used, because it would stop the event loop.
 */
export function tryLock(path: string, mode: LockMode = "exclusive"): HeldLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // A transaction that has read something holds SQLite's shared lock until its end.
    if (mode === "shared") database.exec("BEGIN; SELECT 1 FROM sqlite_master");
    // Nothing is ever written, but SQLite would make a journal beside an empty file, and in some modes flush it to the disk.
    else database.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    const gone = !existsSync(dirname(path));
    throw new VirgaError(
      gone ? "VM_DESTROYED" : "IO_ERROR",
      `Cannot use lock file ${path}${gone ? ": its directory is gone" : ""}`,
      {
        cause: error,
        details: { path },
      },
    );
  }
  const open = database;
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      open.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && "errcode" in error && (error.errcode === 5 || error.errcode === 6)
  );
}

/** Takes the lock file `path`, waiting for other holders. `VM_BUSY` when the time is up, `ABORTED` by the signal, `VM_DESTROYED` when the file was removed meanwhile. */
export async function acquireLock(path: string, options: LockOptions): Promise<HeldLock> {
  const deadline = performance.now() + options.timeoutMs;
  for (let attempt = 0; ; attempt++) {
    if (options.signal?.aborted === true)
      throw abortedError(`waiting for ${options.what}`, options.signal);
    const held = tryLock(path);
    if (held !== undefined) {
      // A destroyer removes the file last: a lock on a file that is no longer at its path protects nothing.
      if (await isStillThere(path)) return held;
      held.release();
    }
    if (performance.now() >= deadline) {
      throw new VirgaError(
        "VM_BUSY",
        `Cannot use ${options.what}: another operation has held it for ${options.timeoutMs} ms`,
        { details: { path } },
      );
    }
    await sleep(BACK_OFF_MS[Math.min(attempt, BACK_OFF_MS.length - 1)]);
  }
}

async function isStillThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).nlink > 0;
  } catch {
    return false;
  }
}
