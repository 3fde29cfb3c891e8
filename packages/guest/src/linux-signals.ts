import { GuestError } from "./errors.ts";

// Numbers of the guest's kernel, which need not be the host's. Those that no program sends on purpose are left out.
const numbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGWINCH: 28,
};

/**
 * Number of a Linux signal, given its name (`"SIGTERM"`) or number (1 … 64).
 * @throws GuestError `GUEST_BAD_REQUEST` for anything else.
 */
export function linuxSignal(signal: string | number): number {
  const number = typeof signal === "number" ? signal : numbers[signal];
  if (number !== undefined && Number.isInteger(number) && number >= 1 && number <= 64)
    return number;
  throw new GuestError(
    "GUEST_BAD_REQUEST",
    `Cannot send signal ${JSON.stringify(signal)}: it is a number from 1 to 64 or one of ${Object.keys(numbers).join(", ")}`,
  );
}
