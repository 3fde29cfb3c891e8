import { channel } from "node:diagnostics_channel";
import { VirgaError, errorText, isVirgaError } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** What is published on the channel `virga:vm:step`, in the process's own thread, at the begin and the end of each step. */
export interface StepMessage {
  readonly vm: string;
  readonly operation: string;
  readonly step: string;
  readonly phase: "start" | "end" | "error";
  /** With `end` and `error`. */
  readonly durationMs?: number;
  readonly error?: unknown;
}

const stepChannel = channel("virga:vm:step");

/** One running operation on one VM: names its steps, times them, and puts the step's name into what they throw. */
export class Operation {
  readonly vm: string;
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  /** Duration of each finished step in milliseconds, in order. */
  readonly timings: Record<string, number> = {};
  readonly #logger: Logger;

  constructor(vm: string, name: string, logger: Logger, signal: AbortSignal | undefined) {
    this.vm = vm;
    this.name = name;
    this.signal = signal;
    this.#logger = logger;
  }

  /** Runs one step. An aborted signal stops before it; what it throws becomes one sentence naming operation, VM and step. */
  async step<T>(step: string, run: () => Promise<T> | T): Promise<T> {
    const started = performance.now();
    try {
      // Inside the try: a subscriber may abort the operation at exactly this point.
      this.#publish({ phase: "start", step });
      if (this.signal?.aborted === true) {
        throw new VirgaError("ABORTED", "the operation was aborted", { cause: this.signal.reason });
      }
      const result = await run();
      const durationMs = performance.now() - started;
      this.timings[step] = durationMs;
      this.#logger.debug({ vm: this.vm, operation: this.name, step, durationMs }, "step done");
      this.#publish({ phase: "end", step, durationMs });
      return result;
    } catch (error) {
      const durationMs = performance.now() - started;
      this.#publish({ phase: "error", step, durationMs, error });
      throw stepError(this.vm, this.name, step, error);
    }
  }

  #publish(message: Omit<StepMessage, "vm" | "operation">): void {
    if (stepChannel.hasSubscribers)
      stepChannel.publish({ vm: this.vm, operation: this.name, ...message });
  }
}

function stepError(vm: string, operation: string, step: string, error: unknown): VirgaError {
  if (isVirgaError(error)) {
    if (typeof error.details["step"] === "string") return error;
    return new VirgaError(error.code, `Cannot ${operation} VM "${vm}": ${step}: ${error.message}`, {
      cause: error,
      details: { ...error.details, id: vm, operation, step },
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
  return new VirgaError(
    "IO_ERROR",
    `Cannot ${operation} VM "${vm}": ${step}: ${errorText(error)}`,
    {
      cause: error,
      details: { id: vm, operation, step },
    },
  );
}
