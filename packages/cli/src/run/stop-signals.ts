import { constants } from "node:os";
import { signalExitCode } from "../exit-code.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Hears the signals that ask this process to stop, so that it can clean up first. */
export class StopSignals implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener = (name: NodeJS.Signals): void => {
    this.#heard ??= name;
    this.#controller.abort(new Error(`stopped by ${name}`));
  };
  #heard: NodeJS.Signals | undefined;

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  /** Aborted by the first of them. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the process ends with; undefined when it was not asked to stop. */
  get exitCode(): number | undefined {
    return this.#heard === undefined ? undefined : signalExitCode(constants.signals[this.#heard]);
  }

  /** From here on they end the process as usual. */
  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }
}
