import { Deadline } from "./deadline.ts";
import { startProcess } from "./exec-operation.ts";
import type { ExecOptions } from "./exec-request.ts";
import type { GuestProcess } from "./guest-process.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageFields, MessageMap } from "./message.ts";
import { runRequest } from "./run-request.ts";
import { SessionPool, type SessionPoolOptions } from "./session-pool.ts";
import { type GuestStream, startStream } from "./stream-operation.ts";

/** Limits of one call. */
export interface CallOptions {
  /** Milliseconds until the answer must be there. Default: that of the client. */
  readonly timeoutMs?: number;
  /** Milliseconds until the agent must have welcomed us; when given, `timeoutMs` begins only then. */
  readonly connectTimeoutMs?: number;
  /** Ends the call when aborted. */
  readonly signal?: AbortSignal;
}

/** The three ways to use a connection to the agent, within a deadline: for one answer, for streams, for a process. */
export class AgentCalls {
  readonly #pool: SessionPool;
  readonly #timeoutMs: number;

  /** `timeoutMs`: how long a call may take that does not say otherwise. */
  constructor({ timeoutMs, ...pool }: SessionPoolOptions & { readonly timeoutMs: number }) {
    this.#pool = new SessionPool(pool);
    this.#timeoutMs = timeoutMs;
  }

  /** Starts a process, or takes one over; it keeps its connection until its end. */
  async start(
    op: "exec" | "attach",
    fields: MessageFields,
    options: Pick<ExecOptions, "stdin" | "pty" | "signal" | "startTimeoutMs">,
  ): Promise<GuestProcess> {
    const request = encodeMessage(fields);
    const deadline = new Deadline(op, options.startTimeoutMs ?? this.#timeoutMs, options.signal);
    try {
      const session = await this.#pool.acquire(deadline);
      const release = (): void => this.#pool.release(session);
      return await startProcess({ session, op, request, options, deadline, release });
    } finally {
      deadline.dispose();
    }
  }

  /** Runs an operation that streams. */
  async stream(
    op: string,
    fields: MessageFields,
    options: CallOptions,
    hasInput: boolean,
  ): Promise<GuestStream> {
    const request = encodeMessage({ op, ...fields });
    const { signal } = options;
    const deadline = new Deadline(op, options.timeoutMs ?? this.#timeoutMs, signal);
    try {
      const session = await this.#pool.acquire(deadline);
      const release = (): void => this.#pool.release(session);
      return await startStream({ session, op, request, hasInput, deadline, signal, release });
    } finally {
      deadline.dispose();
    }
  }

  /** Runs an operation that answers once. Its fields are asked for when the agent has welcomed us; without `keep` the connection is not used again. */
  async call(
    op: string,
    fields: () => MessageFields,
    options: CallOptions,
    keep = true,
  ): Promise<MessageMap> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    let deadline = new Deadline(op, options.connectTimeoutMs ?? timeoutMs, options.signal);
    try {
      const session = await this.#pool.acquire(deadline);
      try {
        if (options.connectTimeoutMs !== undefined) {
          deadline.dispose();
          deadline = new Deadline(op, timeoutMs, options.signal);
        }
        return await runRequest(session, op, encodeMessage({ op, ...fields() }), deadline);
      } finally {
        this.#pool.release(session, keep);
      }
    } finally {
      deadline.dispose();
    }
  }

  /** Closes idle connections, and those in use when their call is over. */
  async reset(): Promise<void> {
    await this.#pool.reset();
  }

  /** Closes all connections, which ends what is under way. */
  async close(): Promise<void> {
    await this.#pool.close();
  }
}
