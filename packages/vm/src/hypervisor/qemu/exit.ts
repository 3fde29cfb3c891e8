import type { ExitReason } from "../../exit-reason.ts";
import type { ExitEvidence, VmContext } from "../port.ts";
import { readTail } from "../../read-tail.ts";

/** How much of the console's end can hold a kernel's last words. */
const CONSOLE_TAIL_BYTES = 64 * 1024;

/** `ShutdownCause` of QEMU's interface, as its trace prints it. */
const SHUTDOWN_CAUSES: Readonly<Record<string, ExitReason["reason"]>> = {
  2: "requested", // by the monitor's quit
  4: "killed", // by a signal
  6: "guest-poweroff",
  7: "guest-reboot",
  8: "guest-panic",
};

/** Why this QEMU ended, by how its process ended and by the traces in its log. */
export async function explainQemuExit(
  context: VmContext,
  evidence: ExitEvidence,
): Promise<ExitReason> {
  const { code, signal, logTail } = evidence;
  const found = {
    logTail,
    ...(code !== null && { code }),
    ...(signal !== null && { signal }),
  };
  const reason = evidence.requested ? "requested" : reasonOf(evidence);
  // Without the panic device's module the guest's panic looks like a reboot, but for its last words.
  if (reason === "guest-reboot" && (await consoleShowsPanic(context.layout.host.console))) {
    return { reason: "guest-panic", ...found };
  }
  return { reason, ...found };
}

function reasonOf({ code, signal, logTail }: ExitEvidence): ExitReason["reason"] {
  if (signal === "SIGKILL" || signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGHUP") {
    return "killed";
  }
  if (signal !== null) return "vmm-crash";
  const cause = [...logTail.matchAll(/^qemu_system_shutdown_request reason=(\d+)$/gmu)].at(-1)?.[1];
  if (cause !== undefined) return SHUTDOWN_CAUSES[cause] ?? "vmm-crash";
  if (/^qemu-system-\S+: terminating on signal \d+/mu.test(logTail)) return "killed";
  // A reboot is the one orderly end that QEMU 7.2 does not trace: it stops running, and that is all.
  if (
    /^runstate_set current_run_state \d+ \(running\) new_state \d+ \(shutdown\)$/mu.test(logTail)
  ) {
    return "guest-reboot";
  }
  return code === null ? "unknown" : "vmm-crash";
}

async function consoleShowsPanic(path: string): Promise<boolean> {
  const { bytes } = await readTail(path, CONSOLE_TAIL_BYTES);
  return bytes.includes("Kernel panic - not syncing");
}
