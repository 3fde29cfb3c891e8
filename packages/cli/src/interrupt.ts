/**
 * Gives a signal that is aborted by Ctrl-C or SIGTERM, for commands that clean up before they end. A second Ctrl-C ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => abort.abort(new Error(`interrupted by ${name}`)));
  }
  return abort.signal;
}
