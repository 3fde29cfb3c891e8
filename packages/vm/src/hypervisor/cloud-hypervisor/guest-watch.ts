import type { ExitReason } from "../../exit-reason.ts";
import { tailEvents } from "./event-tail.ts";
import type { VmmEvent } from "./events.ts";

/** What an event says about the guest's end, if it says anything. */
export function guestEnd({ source, event }: VmmEvent): "guest-reboot" | "guest-panic" | undefined {
  if (source === "guest" && event === "panic") return "guest-panic";
  // Cloud Hypervisor would build the VM again in the same process, and the guest would go on as if just booted.
  if (source === "vm" && event === "rebooting") return "guest-reboot";
  return undefined;
}

/** Calls back once when the guest panics or reboots. Returns the stop function. */
export function watchGuestEvents(
  path: string,
  onEnd: (reason: ExitReason["reason"]) => void,
): () => void {
  const stop = tailEvents(path, (event) => {
    const reason = guestEnd(event);
    if (reason === undefined) return;
    stop();
    onEnd(reason);
  });
  return stop;
}
