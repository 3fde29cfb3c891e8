import { channel } from "node:diagnostics_channel";
import type { Timings } from "../timings.ts";

/** What is published on the channel `virga:sandbox:step`, in the process's own thread, at the begin and the end of each step of a sandbox's life. */
export interface LifeStepMessage {
  readonly sandbox: string;
  readonly operation: string;
  readonly step: string;
  readonly phase: "start" | "end" | "error";
  /** With `end` and `error`. */
  readonly durationMs?: number;
  readonly error?: unknown;
}

const stepChannel = channel("virga:sandbox:step");

/** One running operation on one sandbox: names its steps, times them, and publishes them. */
export class LifeOperation {
  readonly sandbox: string;
  readonly name: string;
  readonly timings: Timings;

  constructor(sandbox: string, name: string, timings: Timings) {
    this.sandbox = sandbox;
    this.name = name;
    this.timings = timings;
  }

  /** A step that is made of others, which are timed by themselves. */
  async whole<T>(step: string, run: () => Promise<T> | T): Promise<T> {
    return this.#run(step, run, false);
  }

  async step<T>(step: string, run: () => Promise<T> | T): Promise<T> {
    return this.#run(step, run, true);
  }

  async #run<T>(step: string, run: () => Promise<T> | T, isTimed: boolean): Promise<T> {
    const started = performance.now();
    try {
      // Inside the try: a subscriber may end the operation at exactly this point.
      this.#publish({ phase: "start", step });
      const result = await run();
      const durationMs = performance.now() - started;
      if (isTimed) this.timings.add(step, durationMs);
      this.#publish({ phase: "end", step, durationMs });
      return result;
    } catch (error) {
      const durationMs = performance.now() - started;
      this.#publish({ phase: "error", step, durationMs, error });
      throw error;
    }
  }

  #publish(message: Omit<LifeStepMessage, "sandbox" | "operation">): void {
    if (!stepChannel.hasSubscribers) return;
    stepChannel.publish({ sandbox: this.sandbox, operation: this.name, ...message });
  }
}
