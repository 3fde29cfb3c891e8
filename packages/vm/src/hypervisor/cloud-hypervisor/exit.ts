import type { ExitReason } from "../../exit-reason.ts";
import { readTail } from "../../read-tail.ts";
import type { ExitEvidence } from "../port.ts";
import { createEventParser } from "./events.ts";
import { guestEnd } from "./guest-watch.ts";

/** The guest's end stands at the end of the file. */
const MAX_EVENT_BYTES = 1024 * 1024;

/** Lines of Cloud Hypervisor's log, at level info, that tell two orderly ends apart which have the same events and the same exit code. */
const GUEST_EXIT = "VM guest exit event";
const ASKED_TO_EXIT = "VM exit event";

/** What the log says of a thread that failed: the VMM then ends in order, with exit code 0. */
const THREAD_FAILED = /\bpanicked\b|UFFD handler (?:exited|terminated)|VCPU generated error/u;

/** Signals a VMM dies of when it is at fault itself. */
const CRASH_SIGNALS = new Set<string>([
  "SIGSYS",
  "SIGSEGV",
  "SIGABRT",
  "SIGBUS",
  "SIGILL",
  "SIGFPE",
  "SIGTRAP",
]);

/** Why a VMM ended, from its exit, the end of its log and its event file. */
export async function explainCloudHypervisorExit(
  eventsPath: string,
  evidence: ExitEvidence,
): Promise<ExitReason> {
  const { code, signal, logTail } = evidence;
  return {
    reason: await findReason(eventsPath, evidence),
    ...(code !== null && { code }),
    ...(signal !== null && { signal }),
    logTail,
  };
}

async function findReason(
  eventsPath: string,
  evidence: ExitEvidence,
): Promise<ExitReason["reason"]> {
  if (evidence.requested) return "requested";
  const end = await findGuestEnd(eventsPath);
  if (end !== undefined) return end;
  const { code, signal, logTail } = evidence;
  if (signal !== null) return CRASH_SIGNALS.has(signal) ? "vmm-crash" : "killed";
  if (code !== null && code !== 0) return "vmm-crash";
  if (THREAD_FAILED.test(logTail)) return "vmm-crash";
  const guest = logTail.lastIndexOf(GUEST_EXIT);
  const asked = logTail.lastIndexOf(ASKED_TO_EXIT);
  if (guest > asked) return "guest-poweroff";
  if (asked >= 0) return "killed";
  return "unknown";
}

/** What the event file says of the guest's end, if anything. None is no fault: the VMM may have died before it made the file. */
export async function findGuestEnd(
  eventsPath: string,
): Promise<"guest-reboot" | "guest-panic" | undefined> {
  const { bytes } = await readTail(eventsPath, MAX_EVENT_BYTES);
  for (const event of createEventParser().push(bytes.toString("utf8"))) {
    const end = guestEnd(event);
    if (end !== undefined) return end;
  }
  return undefined;
}
