import { GuestError } from "./errors.ts";

/** Longest time a timer of Node's can wait, in milliseconds; a longer limit is as good as this one. */
const maxTimerMs = 2_147_483_647;

/** The end of the time a call may take: a limit in milliseconds, the caller's signal, or both. */
export class Deadline {
  readonly #what: string;
  readonly #timeoutMs: number;
  readonly #endsAt: number;
  readonly #caller: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #cancelled: GuestError | undefined;

  /**
   * @param what the operation, for messages and `details.op`.
   * @throws GuestError `GUEST_BAD_REQUEST` for a limit that is not a positive number.
   */
  constructor(what: string, timeoutMs: number, signal: AbortSignal | undefined) {
    if (!(timeoutMs > 0)) {
      throw new GuestError(
        "GUEST_BAD_REQUEST",
        `Cannot ${what}: timeoutMs is ${timeoutMs}, it must be a number above 0`,
        { details: { op: what } },
      );
    }
    this.#what = what;
    this.#timeoutMs = timeoutMs;
    this.#endsAt = performance.now() + timeoutMs;
    this.#caller = signal;
    this.#timer = setTimeout(this.#abort, Math.min(timeoutMs, maxTimerMs));
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Aborted when the time is over or the caller aborts. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds left, 0 when over. */
  get remainingMs(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#endsAt - performance.now());
  }

  /** Runs `listener` when the deadline is over, at once if it is already; returns how to take it back. */
  onOver(listener: () => void): () => void {
    if (this.signal.aborted) {
      listener();
      return () => {};
    }
    this.signal.addEventListener("abort", listener, { once: true });
    return () => this.signal.removeEventListener("abort", listener);
  }

  /** The error of a call that this deadline ended. */
  error(outcome: "not-started" | "unknown"): GuestError {
    if (this.#cancelled !== undefined) return this.#cancelled;
    const details = { op: this.#what, outcome };
    if (this.#caller?.aborted === true) {
      return new GuestError("ABORTED", `Aborted: ${this.#what} in the guest`, {
        cause: this.#caller.reason,
        details,
      });
    }
    const state =
      outcome === "not-started" ? "the agent could not be reached" : "the agent did not answer";
    return new GuestError(
      "GUEST_TIMEOUT",
      `Timed out: ${this.#what} in the guest: ${state} within ${this.#timeoutMs} ms`,
      { details: { ...details, timeoutMs: this.#timeoutMs } },
    );
  }

  /** Ends it now: its error is then `error`. */
  cancel(error: GuestError): void {
    if (this.signal.aborted) return;
    this.#cancelled = error;
    this.#abort();
  }

  /** Stops the timer and lets go of the caller's signal. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => {
    this.#controller.abort();
  };
}
