import { EXIT, STOP_SIGNALS, stopExitCode } from "../exit-code.ts";

/** Hears the signals that ask this process to stop, so that it can clean up first. */
export class StopSignals implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener = (name: NodeJS.Signals): void => {
    this.#heard ??= name;
    this.#controller.abort(new Error(`stopped by ${name}`));
  };
  #heard: NodeJS.Signals | undefined;

  constructor() {
    for (const name of STOP_SIGNALS) process.on(name, this.#listener);
  }

  /** Aborted by the first of them. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the process ends with; undefined when it was not asked to stop. */
  get exitCode(): number | undefined {
    return this.#heard === undefined ? undefined : stopExitCode(this.#heard);
  }

  /**
   * Gives the exit code of a command that has ended, and ends the process itself where that was asked for, or the time was up: what nobody reads must not hold
   * that up.
   */
  end(exitCode: number): number {
    if (this.exitCode !== undefined || exitCode === EXIT.timeLimit)
      process.exit(this.exitCode ?? exitCode);
    return exitCode;
  }

  /** From here on they end the process as usual. */
  [Symbol.dispose](): void {
    for (const name of STOP_SIGNALS) process.off(name, this.#listener);
  }
}
