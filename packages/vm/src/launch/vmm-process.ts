import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "../errors.ts";
import { identifyProcess, isSameProcess } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** How a process ended. Both null: it was not our child, so nobody told. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A VMM's process: signalled only while it is surely that process, and watched until it ends. */
export interface VmmProcess {
  readonly identity: ProcessIdentity;
  /** Resolves once, when the process has ended. */
  readonly exited: Promise<ProcessExit>;
  isAlive(): boolean;
  /** Sends a signal; does nothing when the process is gone. */
  signal(name: NodeJS.Signals): void;
  /** Whether the watch keeps this Node process running. Off at first. */
  keepAlive(on: boolean): void;
  /** Stops the watch of a process that is not our child; one that has ended is still told of. */
  unwatch(): void;
}

function sendSignal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isSameProcess(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}

/** Watches our own child. */
export function watchChild(child: ChildProcess, identity: ProcessIdentity): VmmProcess {
  const exited = new Promise<ProcessExit>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null)
      resolve({ code: child.exitCode, signal: child.signalCode });
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  child.unref();
  return {
    identity,
    exited,
    isAlive: () =>
      child.exitCode === null &&
      child.signalCode === null &&
      identifyProcess(identity.pid) !== undefined,
    signal: (name) => {
      // Not reaped yet, so the number is still this child's.
      if (child.exitCode === null && child.signalCode === null) child.kill(name);
    },
    keepAlive: (on) => (on ? child.ref() : child.unref()),
    unwatch: () => undefined,
  };
}

const POLL_MS = 100;

/** Watches a process another one has started: Node has no pidfd, so by looking at `/proc`. */
export function watchProcess(identity: ProcessIdentity): VmmProcess {
  let settle: (exit: ProcessExit) => void = () => undefined;
  const exited = new Promise<ProcessExit>((resolve) => {
    settle = resolve;
  });
  const look = (): void => {
    if (isSameProcess(identity)) return;
    clearInterval(timer);
    settle({ code: null, signal: null });
  };
  const timer = setInterval(look, POLL_MS);
  timer.unref();
  look();
  return {
    identity,
    exited,
    isAlive: () => isSameProcess(identity),
    signal: (name) => sendSignal(identity, name),
    keepAlive: (on) => (on ? timer.ref() : timer.unref()),
    unwatch: () => {
      look();
      clearInterval(timer);
    },
  };
}

/** Whether the process ends within the time. An aborted signal stops the waiting. */
export async function endsWithin(
  vmm: VmmProcess,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!vmm.isAlive()) return true;
  const stop = new AbortController();
  const cancel = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  try {
    return await Promise.race([
      vmm.exited.then(() => true),
      sleep(timeoutMs, false, { signal: cancel }).catch(() => !vmm.isAlive()),
      // A child of a process that has died meanwhile, or one we only adopted, is seen here sooner than by its watch.
      pollGone(vmm, cancel),
    ]);
  } finally {
    stop.abort();
  }
}

async function pollGone(vmm: VmmProcess, signal: AbortSignal): Promise<boolean> {
  for (let waitMs = 1; vmm.isAlive(); waitMs = Math.min(waitMs * 2, 20)) {
    try {
      // oxlint-disable-next-line no-await-in-loop
      await sleep(waitMs, undefined, { signal });
    } catch {
      return !vmm.isAlive();
    }
  }
  return true;
}
