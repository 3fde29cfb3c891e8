import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { abortedError, errnoOf } from "../../errors.ts";
import type { VmContext } from "../port.ts";
import { openPorts } from "./open-ports.ts";

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
    const { size, text } = await consoleTail(context.layout.host.console);
    const now = performance.now();
    if (size !== seen.size) seen = { size, since: now };
    else if (now - seen.since >= stallMs && CALIBRATION.test(text)) return "hung";
    await sleep(POLL_MS);
  }
}

async function consoleTail(path: string): Promise<{ size: number; text: string }> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const length = Math.min(size, TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return { size, text: buffer.toString("latin1", 0, bytesRead).replaceAll("\r", "") };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { size: 0, text: "" };
    throw error;
  }
}
