import { EXIT, STOP_SIGNALS, exitCodeOf, stopExitCode } from "./exit-code.ts";

let signal: AbortSignal | undefined;
let heard: NodeJS.Signals | undefined;

/**
 * Gives the process's signal that is aborted by Ctrl-C, SIGTERM or SIGHUP, for commands that clean up before they end. A second Ctrl-C ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  signal ??= hear();
  return signal;
}

/** What a command ends with that such a signal stopped; undefined where nothing was heard. */
export function heardExitCode(): number | undefined {
  return heard === undefined ? undefined : stopExitCode(heard);
}

/** As {@link heardExitCode}, for a command that `error` ended; undefined also where that says that something else went wrong. */
export function interruptExitCode(error: unknown): number | undefined {
  const isThat = error === signal?.reason || exitCodeOf(error) === EXIT.interrupted;
  return isThat ? heardExitCode() : undefined;
}

function hear(): AbortSignal {
  const abort = new AbortController();
  for (const name of STOP_SIGNALS) {
    process.once(name, () => {
      heard ??= name;
      abort.abort(new Error(`interrupted by ${name}`));
    });
  }
  return abort.signal;
}
