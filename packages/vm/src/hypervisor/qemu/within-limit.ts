import { VirgaError, abortedError } from "../../errors.ts";
import type { CallOptions } from "../port.ts";

/** Runs work on files under a call's deadline and signal: `TIMEOUT` or `ABORTED` in place of what the work throws because of them. */
export async function withinLimit<T>(
  what: string,
  { timeoutMs, signal }: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    return await work(signal === undefined ? limit : AbortSignal.any([signal, limit]));
  } catch (error) {
    if (signal?.aborted === true) throw abortedError(what, signal);
    if (!limit.aborted) throw error;
    throw new VirgaError("TIMEOUT", `Timed out after ${timeoutMs} ms: ${what}`, {
      cause: error,
      details: { timeoutMs },
    });
  }
}
