import { Answer } from "./answer.ts";
import type { Deadline } from "./deadline.ts";
import { GuestError } from "./errors.ts";
import { streamIds } from "./frame.ts";
import { GuestInput } from "./guest-input.ts";
import { GuestOutput } from "./guest-output.ts";
import type { MessageMap } from "./message.ts";
import type { OperationHandler, Session } from "./session.ts";

/** What {@link startStream} needs. */
export interface StartStream {
  readonly session: Session;
  readonly op: string;
  /** The encoded request. */
  readonly request: Uint8Array;
  /** Whether the agent takes a stream. */
  readonly hasInput: boolean;
  /** Ends the wait for the answer, not the streams. */
  readonly deadline: Deadline;
  /** Ends the operation when aborted. */
  readonly signal: AbortSignal | undefined;
  /** Called once when the session is of no more use to the operation. */
  readonly release: () => void;
}

/** An operation that streams: its answer has come. */
export interface GuestStream extends AsyncDisposable {
  readonly response: MessageMap;
  /** Ends only when the agent said that all is well; else it fails. */
  readonly output: GuestOutput;
  readonly input: GuestInput;
  /** Resolves when the agent has said that all is well and the session is free. */
  readonly done: Promise<void>;
  /** Gives the operation up. Nothing happens when it is over. */
  close(): Promise<void>;
}

/**
 * Starts an operation that streams on an idle session, which it keeps until its end.
 * @throws GuestError the agent's refusal, or what ended the session.
 */
export function startStream(start: StartStream): Promise<GuestStream> {
  const started = Promise.withResolvers<GuestStream>();
  const operation = new StreamOperation(start, started);
  start.session.begin(start.op, start.request, operation);
  operation.watch();
  return started.promise;
}

class StreamOperation implements OperationHandler, GuestStream {
  readonly input: GuestInput;
  readonly output: GuestOutput;
  response: MessageMap = new Map();
  readonly #start: StartStream;
  readonly #started: PromiseWithResolvers<GuestStream>;
  readonly #done = Promise.withResolvers<void>();
  #state: "starting" | "running" | "over" = "starting";
  #result: "none" | "done" | GuestError = "none";
  #stopWatching = (): void => {};

  constructor(start: StartStream, started: PromiseWithResolvers<GuestStream>) {
    const { session } = start;
    this.#start = start;
    this.#started = started;
    this.output = new GuestOutput((cost) => session.consumed(cost));
    this.input = new GuestInput(
      start.hasInput
        ? {
            sendData: (bytes) => session.sendData(streamIds.stdin, bytes),
            sendEnd: () => session.sendEof(streamIds.stdin),
          }
        : undefined,
    );
    // Who reads the output only must not be brought down by a promise that he does not use.
    this.#done.promise.catch(() => {});
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Ends the session when the answer takes too long. */
  watch(): void {
    if (this.#state !== "starting") return;
    const { deadline, session } = this.#start;
    this.#stopWatching = deadline.onOver(() => void session.close(deadline.error("unknown")));
  }

  async close(): Promise<void> {
    if (this.#state === "over") return;
    await this.#start.session.close(this.#aborted("close() was called", undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  onResponse(response: MessageMap): void {
    if (response.get("ok") !== true) {
      this.#result = new Answer(this.#start.op, response).refusal();
      return;
    }
    this.response = response;
    this.#state = "running";
    this.#stopWatching();
    this.#stopWatching = this.#watchSignal();
    this.#started.resolve(this);
  }

  onData(stream: number, bytes: Buffer, cost: number): void {
    if (stream !== streamIds.stdout) throw this.#protocolError("bytes on a stream that it has not");
    this.output.deliver(bytes, cost);
  }

  /** The stream's end means little before it is known whether all is well. */
  onEof(): void {}

  onEvent(event: MessageMap): void {
    const name = event.get("event");
    // Events of later versions are none of our business.
    if (name !== "done" && name !== "failed") return;
    if (this.#result !== "none") throw this.#protocolError("two results");
    this.#result = name === "done" ? "done" : new Answer(this.#start.op, event).refusal();
  }

  onEnd(): void {
    if (this.#result === "none") {
      // The session has let go of the operation already, so that its own error would not reach us.
      const error = this.#protocolError("an end without a result");
      this.#finish(error);
      throw error;
    }
    this.#finish(this.#result === "done" ? undefined : this.#result);
  }

  onLost(error: GuestError): void {
    this.#finish(error);
  }

  #finish(error: GuestError | undefined): void {
    this.#state = "over";
    this.#stopWatching();
    if (error === undefined) {
      this.output.finish();
      this.#done.resolve();
    } else {
      this.#started.reject(error);
      this.#done.reject(error);
      this.output.fail(error);
    }
    this.input.destroy(error);
    this.#start.release();
  }

  #watchSignal(): () => void {
    const { signal, session } = this.#start;
    if (signal === undefined) return () => {};
    const abort = (): void => void session.close(this.#aborted("its signal", signal.reason));
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    return () => signal.removeEventListener("abort", abort);
  }

  #aborted(why: string, cause: unknown): GuestError {
    const { op } = this.#start;
    return new GuestError("ABORTED", `Aborted: ${op} in the guest: ${why}`, {
      cause,
      details: { op, outcome: "unknown" },
    });
  }

  #protocolError(what: string): GuestError {
    const { op } = this.#start;
    return new GuestError("GUEST_PROTOCOL", `The guest agent sent ${what} for ${op}`, {
      details: { op, outcome: "unknown" },
    });
  }
}
