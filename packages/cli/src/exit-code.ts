import { constants } from "node:os";

/** Exit codes with a meaning of their own; any other is the guest command's. `docs/errors.md` explains them. */
export const EXIT = {
  /** Unknown command or option, or a value that is not valid. */
  usage: 2,
  /** The time limit passed. */
  timeLimit: 124,
  /** Virga itself failed. */
  failure: 125,
  /** The guest's command was found and could not be run. */
  notRunnable: 126,
  /** The guest's command was not found. */
  notFound: 127,
  /** Ctrl-C: 128 + SIGINT. */
  interrupted: 130,
  /** The reader of our output went away: 128 + SIGPIPE. */
  brokenPipe: 141,
} as const;

/** What a process ends with that signal n has ended. */
export function signalExitCode(signal: number): number {
  return 128 + signal;
}

/** The signals that ask a process to stop. */
export const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What a process ends with that a signal of this name has stopped. */
export function stopExitCode(name: NodeJS.Signals): number {
  return signalExitCode(constants.signals[name]);
}

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (!isCoded(error)) return EXIT.failure;
  switch (error.code) {
    case "ABORTED":
      return EXIT.interrupted;
    case "GUEST_NOT_FOUND":
      // Without its working directory a command cannot be run, wherever it is.
      return error.details?.what === "cwd" ? EXIT.notRunnable : EXIT.notFound;
    case "GUEST_NOT_EXECUTABLE":
      return EXIT.notRunnable;
    case "GUEST_FAILED":
      // Of a command that was to be started; any other refusal is a fault of ours.
      return error.details?.what === undefined ? EXIT.failure : EXIT.notRunnable;
    default:
      return EXIT.failure;
  }
}

interface CodedError {
  readonly code: string;
  readonly details?: { readonly what?: unknown };
}

function isCoded(error: unknown): error is CodedError {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
