/** Why a VM ended. */
export interface ExitReason {
  readonly reason:
    | "requested"
    | "guest-poweroff"
    | "guest-reboot"
    | "guest-panic"
    | "vmm-crash"
    | "killed"
    /** The host was restarted since. */
    | "host-reboot"
    | "unknown";
  /** Exit code of the VMM, where this process saw it. */
  readonly code?: number;
  /** Signal that ended the VMM, where this process saw it. */
  readonly signal?: string;
  /** Last lines of the VMM's log, at most 4 KiB. */
  readonly logTail: string;
}
