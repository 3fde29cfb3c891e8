import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { VirgaError, abortedError } from "./errors.ts";
import { keepLock, takeKeptLock } from "./kept-locks.ts";
import { lockHolder } from "./lock-holder.ts";

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
  /** Keeps the file open after the release, for the next time. {@link closeKeptLock} closes it, and any lock without this option. */
  readonly keep?: boolean;
}

/** `exclusive`: one holder. `shared`: any number of holders, and no exclusive one meanwhile. */
export type LockMode = "exclusive" | "shared";

/** Keeps what is locked: a database nobody refers to would be closed by the garbage collector, and its lock be free before its release. */
const databases = new Set<DatabaseSync>();

const BACK_OFF_MS = [1, 2, 5, 10, 20, 50] as const;

/**
 * Takes the lock file `path` at once, or returns undefined when another holder stands against it. Makes the file if it is absent.
 *
 * The lock is an exclusive transaction of SQLite: POSIX record locks, which Node itself cannot take, and which the holder's children do not inherit.
 * SQLite's own waiting is not used, because it would stop the event loop.
 */
export function tryLock(path: string, mode: LockMode = "exclusive"): HeldLock | undefined {
  for (;;) {
    const held = tryOnce(path, mode, path);
    // A second time only where this made the file, or somebody removed it meanwhile.
    if (held !== "moved") return held;
  }
}

/** `moved`: the lock is on a file that was not at the path before, or is not any more: a destroyer may have removed it, and such a lock protects nothing. */
function tryOnce(
  path: string,
  mode: LockMode,
  opened: string | URL,
  keep = false,
): HeldLock | undefined | "moved" {
  const before = inodeOf(path);
  let database = takeKeptLock(path, before);
  try {
    database ??= new DatabaseSync(opened, { timeout: 0 });
    // A transaction that has read something holds SQLite's shared lock until its end.
    if (mode === "shared") database.exec("BEGIN; SELECT 1 FROM sqlite_master");
    // Nothing is ever written, but SQLite would make a journal beside an empty file, and in some modes flush it to the disk.
    else database.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    const gone = !existsSync(opened === path ? dirname(path) : path);
    throw new VirgaError(
      gone ? "VM_DESTROYED" : "IO_ERROR",
      `Cannot use lock file ${path}${gone ? ": it is gone" : ""}`,
      {
        cause: error,
        details: { path },
      },
    );
  }
  const open = database;
  if (before === undefined || inodeOf(path) !== before) {
    open.close();
    return "moved";
  }
  databases.add(open);
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      databases.delete(open);
      if (keep && unlock(open)) keepLock(path, before, open);
      else open.close();
    },
  };
}

/** False where it is not certain that the lock is released. */
function unlock(database: DatabaseSync): boolean {
  try {
    database.exec("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

/** Which file is at the path now. It cannot come again while somebody has the file open. */
function inodeOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && "errcode" in error && (error.errcode === 5 || error.errcode === 6)
  );
}

/**
 * Takes the lock file `path`, waiting for other holders. `VM_BUSY` when the time is up, `ABORTED` by the signal, `VM_DESTROYED` when there is no such file,
 * which is never made here: a destroyer that removes it must not find a new one in its place.
 */
export async function acquireLock(path: string, options: LockOptions): Promise<HeldLock> {
  const deadline = performance.now() + options.timeoutMs;
  const existing = pathToFileURL(path);
  existing.search = "?mode=rw";
  for (let attempt = 0; ; attempt++) {
    if (options.signal?.aborted === true)
      throw abortedError(`waiting for ${options.what}`, options.signal);
    const held = tryOnce(path, "exclusive", existing, options.keep);
    if (held !== undefined && held !== "moved") return held;
    if (performance.now() >= deadline) {
      const holder = lockHolder(path);
      const by =
        holder === undefined ? "another operation" : `process ${holder.pid} (${holder.command})`;
      throw new VirgaError(
        "VM_BUSY",
        `Cannot use ${options.what}: it has been held for ${options.timeoutMs} ms by ${by}`,
        { details: { path, ...(holder !== undefined && { holder }) } },
      );
    }
    await sleep(BACK_OFF_MS[Math.min(attempt, BACK_OFF_MS.length - 1)]);
  }
}
