import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, errnoOf } from "../../errors.ts";
import type { CallOptions } from "../port.ts";
import {
  commandError,
  connectError,
  exitedError,
  protocolError,
  timeoutError,
} from "./qmp-errors.ts";
import type { QmpPlace } from "./qmp-errors.ts";
import { QmpLines } from "./qmp-lines.ts";

/** QEMU knows some fifty events. */
const MAX_EVENTS = 100;

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
  readonly #lines = new QmpLines();
  readonly #events = new Set<string>();

  constructor(path: string, options: CallOptions) {
    this.#path = path;
    this.#options = options;
    this.#timer = setTimeout(
      () => this.#fail(timeoutError(this.#at, options.timeoutMs)),
      options.timeoutMs,
    );
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

  /** Where it is, for an error. */
  get #at(): QmpPlace {
    return { path: this.#path, doing: this.#doing };
  }

  saw(event: string): boolean {
    return this.#events.has(event);
  }

  async #greeting(): Promise<void> {
    const greeting = await this.#receive();
    if (!isObject(greeting["QMP"])) throw protocolError(this.#at, JSON.stringify(greeting));
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
    if ("id" in answer) throw protocolError(this.#at, JSON.stringify(answer));
    if (isObject(answer["error"])) throw commandError(command, answer["error"]);
    if (!("return" in answer)) throw protocolError(this.#at, JSON.stringify(answer));
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
      if (errnoOf(error) !== "EAGAIN") throw this.#failure ?? connectError(this.#path, error);
      await sleep(BUSY_POLL_MS);
    }
  }

  #listen(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error) => this.#fail(exitedError(this.#at, error)));
    socket.on("close", () => this.#fail(exitedError(this.#at, undefined)));
    if (this.#failure !== undefined) socket.destroy();
  }

  #onData(chunk: Buffer): void {
    for (const line of this.#lines.push(chunk)) {
      if (this.#failure !== undefined) return;
      if (typeof line === "string") this.#onLine(line);
      else this.#fail(protocolError(this.#at, line.begin, line.problem));
    }
  }

  #onLine(line: string): void {
    if (line.trim() === "") return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#fail(protocolError(this.#at, line));
      return;
    }
    if (!isObject(message)) this.#fail(protocolError(this.#at, line));
    else if ("event" in message) this.#onEvent(message["event"]);
    else {
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) waiting.resolve(message);
      else this.#fail(protocolError(this.#at, line, "more answers than questions"));
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
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
