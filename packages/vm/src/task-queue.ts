import { abortedError } from "./errors.ts";

/** Runs tasks one after the other, in the order they were given. */
export class TaskQueue {
  #last: Promise<void> = Promise.resolve();

  /** Runs `task` when all earlier ones have ended. An abort before its turn rejects at once with `ABORTED`, and the task never runs. */
  async run<T>(what: string, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#last = before.then(() => ended);
    try {
      await turn(before, what, signal);
      return await task();
    } finally {
      end();
    }
  }
}

async function turn(
  before: Promise<void>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal === undefined) return before;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(abortedError(what, signal));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([before, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
