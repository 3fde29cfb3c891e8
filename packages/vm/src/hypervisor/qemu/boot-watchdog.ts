import { setTimeout as sleep } from "node:timers/promises";
import { abortedError } from "../../errors.ts";
import type { VmContext } from "../port.ts";
import { openPorts } from "./open-ports.ts";
import { readTail } from "../../read-tail.ts";

const POLL_MS = 100;
const CALL_MS = 5_000;
const TAIL_BYTES = 512;

/** The kernel's last words when it measures its clock against timers that a busy host delivers too late, for ever. */
const CALIBRATION = /(?:\btsc: [^\n]*|Calibrating delay loop[. ]*)\s*$/u;

/** Options of {@link watchBoot}. */
export interface WatchBootOptions {
  /** How long the console must have been silent in the middle of the calibration. Default 10,000 ms. */
  readonly stallMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Watches a VM that was just booted: `alive` once a program in the guest has opened a port of the guest channel, `hung` when its kernel stands still
 * calibrating its clock, as microvms do on busy hosts whose rate is not known. Such a VM never recovers: destroy it and boot it once more.
 *
 * A guest that never opens a port and does not hang is watched until the signal (`ABORTED`). `HYPERVISOR_EXITED` when the VM ends. Without a console only
 * `alive` can be told.
 */
export async function watchBoot(
  context: VmContext,
  { stallMs = 10_000, signal }: WatchBootOptions,
): Promise<"alive" | "hung"> {
  let seen = { size: -1, since: performance.now() };
  for (;;) {
    if (signal.aborted) throw abortedError("watching the guest boot", signal);
    if ((await openPorts(context, { timeoutMs: CALL_MS, signal })).size > 0) return "alive";
    const { size, bytes } = await readTail(context.layout.host.console, TAIL_BYTES);
    const text = bytes.toString("latin1").replaceAll("\r", "");
    const now = performance.now();
    if (size !== seen.size) seen = { size, since: now };
    else if (now - seen.since >= stallMs && CALIBRATION.test(text)) return "hung";
    await sleep(POLL_MS);
  }
}
