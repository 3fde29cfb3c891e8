import { join } from "node:path";
import { VirgaError, acquireLock, isVirgaError } from "@virga/vm";
import type { HeldLock } from "@virga/vm";
import type { Home } from "./home.ts";

/** An operation on a large sandbox takes minutes where the disk is slow: the longest writes all of a guest's memory. */
const WAIT_MS = 10 * 60_000;

/** What there is of a sandbox beside its VM and its disk. */
export interface SandboxPaths {
  readonly directory: string;
  /** Held by whoever changes the sandbox. */
  readonly lock: string;
  /** Its memory, once it was suspended for the n-th time. */
  suspended(generation: number): string;
}

/** Where to look, and how long to wait. */
export interface SandboxLockOptions {
  /** Default 10 minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The files of sandbox `id`. */
export function sandboxPaths(home: Home, id: string): SandboxPaths {
  const directory = join(home.sandboxes, id);
  return {
    directory,
    lock: join(directory, "lock"),
    suspended: (generation) => join(directory, `suspended-${generation}`),
  };
}

/**
 * Waits until no other process works on sandbox `id`, and keeps them from it until the lock is released, or this process dies. `VM_BUSY` when the time is up,
 * naming the holder; `VM_DESTROYED` when there is no such sandbox any more; `ABORTED`.
 */
export async function lockSandbox(
  home: Home,
  id: string,
  options: SandboxLockOptions = {},
): Promise<HeldLock> {
  const { timeoutMs = WAIT_MS, signal } = options;
  const what = `sandbox "${id}"`;
  try {
    return await acquireLock(sandboxPaths(home, id).lock, { timeoutMs, signal, what });
  } catch (error) {
    if (!isVirgaError(error) || error.code !== "VM_DESTROYED") throw error;
    throw new VirgaError("VM_DESTROYED", `Cannot use ${what}: it was destroyed`, {
      cause: error,
      details: { id },
    });
  }
}

/** As {@link lockSandbox}, without waiting: undefined when somebody works on it, or when there is no such sandbox. */
export async function tryLockSandbox(home: Home, id: string): Promise<HeldLock | undefined> {
  try {
    return await lockSandbox(home, id, { timeoutMs: 0 });
  } catch (error) {
    if (isVirgaError(error) && (error.code === "VM_BUSY" || error.code === "VM_DESTROYED"))
      return undefined;
    throw error;
  }
}

/** Whether somebody works on sandbox `id`, or there is no such sandbox. */
export async function isLocked(home: Home, id: string): Promise<boolean> {
  const lock = await tryLockSandbox(home, id);
  lock?.release();
  return lock === undefined;
}
