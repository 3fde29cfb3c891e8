import { constants } from "node:os";
import { EXIT, exitCodeOf, signalExitCode } from "./exit-code.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let signal: AbortSignal | undefined;
let heard: NodeJS.Signals | undefined;

/**
 * Gives the process's signal that is aborted by Ctrl-C, SIGTERM or SIGHUP, for commands that clean up before they end. A second Ctrl-C ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  signal ??= hear();
  return signal;
}

/** What a command ends with that such a signal stopped, which is what `error` says; undefined where nothing was heard, or something else went wrong. */
export function interruptExitCode(error: unknown): number | undefined {
  if (heard === undefined) return undefined;
  const isThat = error === signal?.reason || exitCodeOf(error) === EXIT.interrupted;
  return isThat ? signalExitCode(constants.signals[heard]) : undefined;
}

function hear(): AbortSignal {
  const abort = new AbortController();
  for (const name of SIGNALS) {
    process.once(name, () => {
      heard ??= name;
      abort.abort(new Error(`interrupted by ${name}`));
    });
  }
  return abort.signal;
}
