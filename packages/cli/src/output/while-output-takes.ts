/** A signal that is aborted with `signal`, and when our output takes no more, such as when its reader is gone: nobody hears what a command goes on to write. */
export function whileOutputTakes(signal: AbortSignal): AbortSignal {
  const failed = new AbortController();
  process.stdout.once("error", (error) => failed.abort(error));
  return AbortSignal.any([signal, failed.signal]);
}
