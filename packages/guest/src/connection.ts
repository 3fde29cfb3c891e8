import type { Duplex } from "node:stream";

/** How long a connection may take to close by itself, in milliseconds. A paused guest never answers. */
const closeTimeoutMs = 250;

/** Takes what a connection brings. */
export interface ConnectionReceiver {
  /** The next bytes. */
  onBytes(bytes: Buffer): void;
  /** The peer is gone; called once, after which nothing more comes. */
  onGone(cause: unknown): void;
}

/**
 * A duplex stream that is always read, with one receiver at a time, and closed so that a virtio-serial port survives it:
 * end our side, read to the end of theirs, destroy only what does not end in time.
 */
export class Connection {
  readonly #stream: Duplex;
  #receiver: ConnectionReceiver | undefined;
  /** What came between two receivers. */
  #early: Buffer[] = [];
  #gone: { readonly cause: unknown } | undefined;
  #closing: Promise<void> | undefined;
  /** Of writes under way: a stream that is destroyed forgets the one it is at. */
  readonly #writing = new Set<() => void>();

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("error", (error) => this.#end(error));
    stream.on("end", () => this.#end(undefined));
    stream.on("close", () => this.#end(undefined));
    if (stream.destroyed) this.#end(stream.errored ?? undefined);
  }

  /** False once the peer is gone or {@link close} was called. */
  get isOpen(): boolean {
    return this.#gone === undefined && this.#closing === undefined;
  }

  /** Hands all further bytes to `receiver`, and those that came while there was none. */
  receive(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#receiver?.onBytes(bytes);
    if (this.#gone !== undefined) this.#receiver?.onGone(this.#gone.cause);
  }

  /** Keeps further bytes for the next receiver, which must come at once. */
  pauseReceiving(): void {
    this.#receiver = undefined;
  }

  /** Writes; the returned promise settles when the bytes left this process, or never will. */
  write(bytes: Uint8Array): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      this.#writing.add(resolve);
      // An error is also an event of the stream, which is where it is handled.
      this.#stream.write(bytes, () => {
        this.#writing.delete(resolve);
        resolve();
      });
    });
  }

  /** Lets the process end (false) or keeps it from ending (true) while this connection is open, where the stream can do that. */
  holdProcess(hold: boolean): void {
    const stream = this.#stream as { ref?: () => unknown; unref?: () => unknown };
    if (hold) stream.ref?.();
    else stream.unref?.();
  }

  /** Closes. Resolves when the stream is closed, after 250 ms at the latest. Bytes that still come are dropped. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #close(): Promise<void> {
    const stream = this.#stream;
    this.#receiver = undefined;
    this.#early = [];
    if (stream.closed) return Promise.resolve();
    this.holdProcess(true);
    const closed = new Promise<void>((resolve) => {
      const timer = setTimeout(() => stream.destroy(), closeTimeoutMs);
      stream.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    if (this.#gone !== undefined) {
      stream.destroy();
    } else {
      stream.once("end", () => stream.destroy());
      stream.end();
    }
    return closed;
  }

  #take(chunk: Buffer): void {
    if (this.#receiver !== undefined) this.#receiver.onBytes(chunk);
    else if (this.#closing === undefined) this.#early.push(chunk);
  }

  #end(cause: unknown): void {
    if (this.#gone !== undefined) return;
    this.#gone = { cause };
    for (const settle of this.#writing) settle();
    this.#writing.clear();
    this.#receiver?.onGone(cause);
  }
}
