import { Duplex } from "node:stream";
import type { GuestStream } from "./stream-operation.ts";

/**
 * A connection to a port of the guest, as if to a socket: back-pressure both ways, and when the server has closed, both directions are over:
 * once its last bytes are read, the stream is destroyed.
 */
export class GuestTunnel extends Duplex {
  readonly #stream: GuestStream;

  constructor(stream: GuestStream) {
    super();
    this.#stream = stream;
    const { output, input } = stream;
    output.on("data", (bytes: Buffer) => {
      if (!this.push(bytes)) output.pause();
    });
    output.once("end", () => this.push(null));
    // Not by end(), as sockets do it: a writer must learn that what it still has goes nowhere.
    this.once("end", () => {
      if (!this.writableEnded) this.destroy();
    });
    output.once("error", (error) => this.destroy(error));
    // A write that waits for credit would wait for ever.
    input.once("close", () => this.#settle());
    // As with the streams of a process: who only waits for the end must not be brought down.
    this.on("error", () => {});
    output.pause();
  }

  #settle = (): void => {};

  override _read(): void {
    this.#stream.output.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    const { input } = this.#stream;
    if (input.destroyed) {
      callback();
      return;
    }
    const settle = (): void => {
      if (this.#settle !== settle) return;
      this.#settle = () => {};
      callback();
    };
    this.#settle = settle;
    input.write(bytes, settle);
  }

  override _final(callback: () => void): void {
    const { input } = this.#stream;
    if (!input.destroyed) input.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const closed = (): void => callback(error);
    void this.#stream.close().then(closed, closed);
  }
}
