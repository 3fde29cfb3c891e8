import { acquireLock, tryLock } from "@virga/vm";
import type { Home } from "../home.ts";

const WAIT_MS = 30 * 60_000;

/** How to wait for the lock. */
export interface SetupLockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process has the lock, so that the user knows what is waited for. */
  readonly onWait?: () => void;
}

/**
 * Runs `work` while this process alone sets the machine up for this home. Others wait for their turn (half an hour at most: a download may be slow), and then find
 * done what the first one did. The kernel releases the lock when its holder dies.
 */
export async function withSetupLock<T>(
  home: Home,
  work: () => Promise<T>,
  options: SetupLockOptions = {},
): Promise<T> {
  let held = tryLock(home.setupLock);
  if (held === undefined) {
    options.onWait?.();
    held = await acquireLock(home.setupLock, {
      timeoutMs: WAIT_MS,
      signal: options.signal,
      what: "the set-up of this machine",
    });
  }
  try {
    return await work();
  } finally {
    held.release();
  }
}
