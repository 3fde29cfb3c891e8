import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, errnoOf, errorText } from "../../errors.ts";
import type { CallOptions } from "../port.ts";

/** Longest line QEMU may send. What it really sends is far below. */
const MAX_LINE_BYTES = 1 << 20;

/** QEMU knows some fifty events. */
const MAX_EVENTS = 100;

const QUOTED_CHARACTERS = 200;
const BUSY_POLL_MS = 5;

/** A connected monitor, its capabilities negotiated. */
export interface QmpSession {
  /** Runs a command and gives its `return`. Commands that are given at once are executed in their order. */
  execute(command: string, commandArguments?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Whether this event came on this connection. QEMU tells what a command caused before it answers the command. */
  saw(event: string): boolean;
}

/**
 * Connects to the QMP socket `path`, runs `body` and disconnects. `timeoutMs` and `signal` hold for all of it.
 *
 * Rejects with `HYPERVISOR_EXITED` when nobody listens or the connection breaks, `TIMEOUT` naming what it waited for (a monitor serves one client: a second
 * one gets no greeting), `ABORTED`, `HYPERVISOR_PROTOCOL` for what is no QMP, and `HYPERVISOR_ERROR` with QEMU's own words in `details.chain`.
 */
export async function withQmp<T>(
  path: string,
  options: CallOptions,
  body: (session: QmpSession) => Promise<T>,
): Promise<T> {
  const session = new Session(path, options);
  try {
    await session.open();
    return await body(session);
  } finally {
    session.close();
  }
}

/** An answer that is waited for. */
interface Waiting {
  readonly resolve: (message: Record<string, unknown>) => void;
  readonly reject: (error: VirgaError) => void;
}

class Session implements QmpSession {
  readonly #path: string;
  readonly #options: CallOptions;
  readonly #timer: NodeJS.Timeout;
  #socket: Socket | undefined;
  #doing = "connecting";
  #last = "";
  #failure: VirgaError | undefined;
  #isClosed = false;
  /** In the order in which the monitor answers: its greeting, its capabilities, the commands. */
  readonly #waiting: Waiting[] = [];
  #negotiated: Promise<unknown> = Promise.resolve();
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  readonly #events = new Set<string>();

  constructor(path: string, options: CallOptions) {
    this.#path = path;
    this.#options = options;
    this.#timer = setTimeout(() => this.#fail(this.#timeoutError()), options.timeoutMs);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => {
    const { signal } = this.#options;
    if (signal !== undefined) this.#fail(abortedError(`${this.#doing} (QEMU monitor)`, signal));
  };

  async open(): Promise<void> {
    if (this.#options.signal?.aborted === true) this.#onAbort();
    await this.#connect();
    this.#doing = "waiting for the greeting, which a monitor sends to one client at a time";
    this.#negotiated = Promise.all([this.#greeting(), this.#request("qmp_capabilities")]);
    // Each command hears of it.
    this.#negotiated.catch(() => undefined);
  }

  async execute(
    command: string,
    commandArguments?: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    // The monitor reads in the end also what a client wrote that gave up waiting for its turn. A query may be answered to nobody, so it goes with the
    // negotiation; anything else waits until the monitor serves us.
    if (!command.startsWith("query-")) await this.#negotiated;
    const [, answer] = await Promise.all([
      this.#negotiated,
      this.#request(command, commandArguments),
    ]);
    return answer;
  }

  saw(event: string): boolean {
    return this.#events.has(event);
  }

  async #greeting(): Promise<void> {
    const greeting = await this.#receive();
    if (!isObject(greeting["QMP"])) throw this.#protocolError(JSON.stringify(greeting));
    this.#doing = this.#last;
  }

  async #request(
    command: string,
    commandArguments?: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    // Without an id: QEMU answers in the order it was asked, and reads byte by byte, each through its main loop.
    this.#last = `executing ${command}`;
    if (this.#doing.startsWith("executing")) this.#doing = this.#last;
    const request = { execute: command, ...(commandArguments && { arguments: commandArguments }) };
    if (this.#failure === undefined && !this.#isClosed) this.#write(`${JSON.stringify(request)}\n`);
    const answer = await this.#receive();
    if ("id" in answer) throw this.#protocolError(JSON.stringify(answer));
    if (isObject(answer["error"])) throw this.#commandError(command, answer["error"]);
    if (!("return" in answer)) throw this.#protocolError(JSON.stringify(answer));
    return answer["return"];
  }

  /** What is written at once leaves at once. */
  #write(text: string): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(text);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#isClosed = true;
    // Nobody hears of its end any more, and to make an error of it takes longer than to close it.
    this.#socket?.removeAllListeners("close").removeAllListeners("data").destroy();
  }

  async #connect(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const socket = connect(this.#path);
      this.#socket = socket;
      const error = await new Promise<Error | undefined>((resolve) => {
        socket.once("connect", () => resolve(undefined)).once("error", resolve);
        socket.once("close", () => resolve(this.#failure));
      });
      if (error === undefined) {
        socket.removeAllListeners("close").removeAllListeners("error");
        this.#listen(socket);
        return;
      }
      socket.destroy();
      // The queue of waiting clients is full; the deadline ends this.
      if (errnoOf(error) !== "EAGAIN") throw this.#failure ?? this.#connectError(error);
      await sleep(BUSY_POLL_MS);
    }
  }

  #listen(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error) => this.#fail(this.#exitedError(error)));
    socket.on("close", () => this.#fail(this.#exitedError(undefined)));
    if (this.#failure !== undefined) socket.destroy();
  }

  #onData(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0 && !this.#failure; end = rest.indexOf(10)) {
      this.#pieces.push(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      const line = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#pieceBytes = 0;
      if (line.length > MAX_LINE_BYTES) this.#failLong();
      else this.#onLine(line.toString("utf8"));
    }
    this.#pieces.push(rest);
    this.#pieceBytes += rest.length;
    if (this.#pieceBytes > MAX_LINE_BYTES) this.#failLong();
  }

  #failLong(): void {
    const error = `a line is longer than ${MAX_LINE_BYTES} bytes`;
    this.#fail(this.#protocolError(Buffer.concat(this.#pieces).toString("latin1"), error));
  }

  #onLine(line: string): void {
    if (line.trim() === "") return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#fail(this.#protocolError(line));
      return;
    }
    if (!isObject(message)) this.#fail(this.#protocolError(line));
    else if ("event" in message) this.#onEvent(message["event"]);
    else {
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) waiting.resolve(message);
      else this.#fail(this.#protocolError(line, "more answers than questions"));
    }
  }

  #onEvent(name: unknown): void {
    if (typeof name === "string" && this.#events.size < MAX_EVENTS) this.#events.add(name);
  }

  #receive(): Promise<Record<string, unknown>> {
    if (this.#isClosed) {
      return Promise.reject(new VirgaError("HYPERVISOR_EXITED", "The QEMU monitor was closed"));
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #fail(error: VirgaError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#socket?.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #timeoutError(): VirgaError {
    const { timeoutMs } = this.#options;
    return new VirgaError(
      "TIMEOUT",
      `QEMU's monitor ${this.#path} did not answer within ${timeoutMs} ms: ${this.#doing}`,
      { details: { path: this.#path, timeoutMs, doing: this.#doing } },
    );
  }

  #connectError(error: Error): VirgaError {
    const errno = errnoOf(error);
    const code = errno === "ENOENT" || errno === "ECONNREFUSED" ? "HYPERVISOR_EXITED" : "IO_ERROR";
    return new VirgaError(
      code,
      `Cannot connect to QEMU's monitor ${this.#path}: ${error.message}`,
      {
        cause: error,
        details: { path: this.#path, errno: errno ?? null },
      },
    );
  }

  #exitedError(cause: Error | undefined): VirgaError {
    const why = cause === undefined ? "" : `: ${errorText(cause)}`;
    return new VirgaError(
      "HYPERVISOR_EXITED",
      `QEMU closed its monitor ${this.#path} while ${this.#doing}${why}`,
      { cause, details: { path: this.#path, doing: this.#doing } },
    );
  }

  #commandError(command: string, error: Record<string, unknown>): VirgaError {
    const text = quote(typeof error["desc"] === "string" ? error["desc"] : JSON.stringify(error));
    return new VirgaError("HYPERVISOR_ERROR", `QEMU refused ${command}: ${text}`, {
      details: { command, class: error["class"] ?? null, chain: [text] },
    });
  }

  #protocolError(text: string, problem = "this is no answer of QMP"): VirgaError {
    return new VirgaError(
      "HYPERVISOR_PROTOCOL",
      `Cannot understand QEMU's monitor ${this.#path} while ${this.#doing}: ${problem}: ${quote(text)}`,
      { details: { path: this.#path, doing: this.#doing, received: quote(text) } },
    );
  }
}

function quote(text: string): string {
  return text.slice(0, QUOTED_CHARACTERS).replaceAll(/\p{Cc}/gu, "\ufffd");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
