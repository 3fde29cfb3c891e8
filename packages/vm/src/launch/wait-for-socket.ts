import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, isVirgaError } from "../errors.ts";
import type { HypervisorControl, VmmIdentity } from "../hypervisor/port.ts";
import { endsWithin } from "./vmm-process.ts";
import type { VmmProcess } from "./vmm-process.ts";

/** A VMM is ready after tens of milliseconds, and the start of a clone is little more than that: at first each one counts. */
const EAGER_MS = 200;
const EAGER_POLL_MS = 1;
const POLL_MS = 10;

/** Waits until the VMM answers on its control socket: polled every millisecond at first, every 10 ms later, ended at once by the process's exit or an abort. */
export async function waitForSocket(
  control: HypervisorControl,
  vmm: VmmProcess,
  socket: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<VmmIdentity> {
  const started = performance.now();
  const deadline = started + timeoutMs;
  for (;;) {
    const remaining = deadline - performance.now();
    if (!vmm.isAlive())
      throw new VirgaError("HYPERVISOR_EXITED", "the hypervisor ended before its socket was ready");
    if (remaining <= 0) {
      throw new VirgaError(
        "TIMEOUT",
        `timed out after ${timeoutMs} ms waiting for the control socket at ${socket}`,
        { details: { socket, timeoutMs } },
      );
    }
    try {
      return await control.ping({ timeoutMs: remaining, signal });
    } catch (error) {
      // Nobody listens yet. A process that has just died is seen at the top of the loop.
      if (!isVirgaError(error) || error.code !== "HYPERVISOR_EXITED") throw error;
      if (await endsWithin(vmm, 0)) continue;
    }
    const waitMs = performance.now() - started < EAGER_MS ? EAGER_POLL_MS : POLL_MS;
    await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
      throw new VirgaError("ABORTED", "the operation was aborted", { cause: signal?.reason });
    });
  }
}
