let signal: AbortSignal | undefined;

/**
 * Gives the process's signal that is aborted by Ctrl-C, SIGTERM or SIGHUP, for commands that clean up before they end. A second Ctrl-C ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  signal ??= hear();
  return signal;
}

function hear(): AbortSignal {
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => abort.abort(new Error(`interrupted by ${name}`)));
  }
  return abort.signal;
}
