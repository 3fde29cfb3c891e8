import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError } from "../../errors.ts";
import { tryLock } from "../../lock.ts";
import type { HeldLock } from "../../lock.ts";
import type { CallOptions } from "../port.ts";
import { GUEST_PORTS } from "./files.ts";

/** A guest port that is ours until released, or until this process dies. */
export interface PortLease {
  readonly port: number;
  /** Idempotent. */
  release(): void;
}

const BACK_OFF_MS = [1, 2, 5, 10] as const;

/**
 * Leases a free guest port by a lock file in `directory`: a port serves one connection at a time, and a second client would wait in silence. Waits for one
 * while all are in use: `CAPACITY` when the time is up, `ABORTED` by the signal.
 */
export async function leasePort(
  directory: string,
  { timeoutMs, signal }: CallOptions,
  isUsable: (port: number) => boolean = () => true,
): Promise<PortLease> {
  const deadline = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt++) {
    if (signal?.aborted === true) throw abortedError("waiting for a guest port", signal);
    const lease = tryPorts(directory, isUsable);
    if (lease !== undefined) return lease;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) {
      throw new VirgaError(
        "CAPACITY",
        `All ${GUEST_PORTS} guest connections of the VM were in use for ${timeoutMs} ms`,
        {
          details: { maximum: GUEST_PORTS, timeoutMs },
          hint: "Close one of them, or wait longer.",
        },
      );
    }
    const waitMs = BACK_OFF_MS[Math.min(attempt, BACK_OFF_MS.length - 1)] ?? 1;
    await sleep(Math.min(waitMs, leftMs));
  }
}

function tryPorts(directory: string, isUsable: (port: number) => boolean): PortLease | undefined {
  // Not always from the first: processes that come at once would meet at every port.
  const first = Math.floor(Math.random() * GUEST_PORTS);
  for (let i = 0; i < GUEST_PORTS; i++) {
    const port = (first + i) % GUEST_PORTS;
    if (!isUsable(port)) continue;
    const lock: HeldLock | undefined = tryLock(join(directory, `${port}.lock`));
    if (lock !== undefined) return { port, release: () => lock.release() };
  }
  return undefined;
}
