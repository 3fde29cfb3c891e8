import { Duplex } from "node:stream";

/** A stream over another that breaks off, in both directions, when so many bytes have been written or read through it. */
export class CutStream extends Duplex {
  readonly #inner: Duplex;
  #writes: number;
  #reads: number;

  constructor(inner: Duplex, limits: { readonly writes: number; readonly reads: number }) {
    super();
    this.#inner = inner;
    this.#writes = limits.writes;
    this.#reads = limits.reads;
    inner.on("data", (chunk: Buffer) => {
      const part = chunk.subarray(0, this.#reads);
      this.#reads -= part.length;
      if (part.length > 0) this.push(part);
      if (this.#reads === 0) this.destroy();
    });
    inner.on("end", () => this.push(null));
    inner.on("error", (error) => this.destroy(error));
    inner.on("close", () => this.destroy());
  }

  override _read(): void {
    // Everything is pushed as it comes: the protocol bounds it.
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    const part = chunk.subarray(0, this.#writes);
    this.#writes -= part.length;
    this.#inner.write(part, (error) => {
      callback(error);
      if (this.#writes === 0) this.destroy();
    });
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#inner.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#inner.destroy();
    callback(error);
  }
}
