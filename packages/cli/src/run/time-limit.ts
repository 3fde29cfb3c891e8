/** How long the guest may take to end a command whose time is over, in milliseconds. */
const GRACE_MS = 1_000;

/**
 * Our own watch over a command's time limit. The guest keeps the limit by itself; this one is for a guest that does not, and so it comes a little later.
 */
export class TimeLimit implements Disposable {
  /** Aborted when the time is over, or by the other signal. */
  readonly signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number | undefined, signal: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.signal = AbortSignal.any([signal, this.#over.signal]);
  }

  /** The command runs. */
  start(): void {
    if (this.#timeoutMs === undefined) return;
    this.#timer = setTimeout(
      () => this.#over.abort(new Error("the time limit passed")),
      Math.min(this.#timeoutMs + GRACE_MS, 2 ** 31 - 1),
    );
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
