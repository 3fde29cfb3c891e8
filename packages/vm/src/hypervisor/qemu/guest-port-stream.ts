import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { VirgaError, errorText } from "../../errors.ts";

/** How long a close waits for QEMU's end of file. A paused VM gives none. */
const GRACE_MS = 250;

/**
 * One connection over a guest port. There is no half-close: `end()` ends both directions.
 *
 * QEMU loses a descriptor of the port for good when a client leaves while a buffer is partly written, so every end is the careful one: shut our side, read
 * until QEMU closes, and only after a while just go. `onClosed` runs when the socket is really closed, before the stream's `close`.
 */
export class GuestPortStream extends Duplex {
  readonly #socket: Socket;
  readonly #onClosed: () => void;
  #closing = false;
  #peerEnded = false;

  constructor(socket: Socket, onClosed: () => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#onClosed = onClosed;
    socket.pause();
    socket.on("data", (chunk: Buffer) => {
      // What comes after our end is nobody's; it is read only for QEMU's sake.
      if (!this.#closing && !this.push(chunk)) socket.pause();
    });
    socket.once("end", () => this.#endReading());
    socket.on("error", (error) => this.#onError(error));
    socket.once("close", () => {
      this.#onClosed();
      this.#endReading();
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, (error) => done(error ? brokenError(error) : null));
  }

  override _final(done: () => void): void {
    this.#close(() => {
      this.#endReading();
      done();
      // Nobody may be reading any more; the stream must come to its `close` all the same.
      this.resume();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#close(() => done(error));
  }

  override end(...given: unknown[]): this {
    super.end(...(given as []));
    // A guest that does not read would hold back the end for ever.
    if (!this.#closing && this.writableLength > 0) {
      const timer = setTimeout(() => this.destroy(), GRACE_MS);
      this.once("close", () => clearTimeout(timer));
    }
    return this;
  }

  #endReading(): void {
    if (this.#peerEnded) return;
    this.#peerEnded = true;
    if (!this.destroyed) this.push(null);
  }

  #onError(error: Error): void {
    if (!this.#closing) this.destroy(brokenError(error));
  }

  /** Closes the socket if nobody has begun to, and calls back when it is closed. */
  #close(done: () => void): void {
    const socket = this.#socket;
    if (socket.closed) {
      done();
      return;
    }
    socket.once("close", done);
    if (this.#closing) return;
    this.#closing = true;
    const timer = setTimeout(() => socket.destroy(), GRACE_MS);
    socket.once("close", () => clearTimeout(timer));
    socket.end();
    socket.resume();
  }
}

function brokenError(cause: Error): VirgaError {
  return new VirgaError("HYPERVISOR_EXITED", `The guest connection broke: ${errorText(cause)}`, {
    cause,
  });
}
