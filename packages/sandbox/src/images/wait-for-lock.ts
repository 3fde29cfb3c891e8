import { acquireLock, tryLock } from "@virga/vm";
import type { HeldLock } from "@virga/vm";

/** A download by a slow line may take this long. */
const WAIT_MS = 60 * 60_000;

/** How to wait. */
export interface WaitForLockOptions {
  /** What is locked, for the error's sentence. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** Called once when there is somebody to wait for. */
  readonly onWait?: (() => void) | undefined;
}

/** Takes the lock file `path` alone, which is made if it is absent, after those who have it now. `VM_BUSY` after an hour, `ABORTED` by the signal. */
export async function waitForLock(path: string, options: WaitForLockOptions): Promise<HeldLock> {
  const held = tryLock(path);
  if (held !== undefined) return held;
  options.onWait?.();
  const { what, signal } = options;
  return acquireLock(path, { timeoutMs: WAIT_MS, signal, what });
}
