import { Readable } from "node:stream";

/** Bytes a stream holds for its reader beside the credit window. */
const highWaterMark = 65_536;

interface Piece {
  readonly bytes: Buffer;
  readonly cost: number;
}

/**
 * Standard output or error of a guest process. Bytes count as consumed when the reader's buffer takes them,
 * so a reader that stops holds the process up: one window and one buffer are the most that is kept here.
 */
export class GuestOutput extends Readable {
  readonly #consumed: (cost: number) => void;
  #waiting: Piece[] = [];
  #wanted = true;
  #end: "open" | "due" | "done" = "open";

  /** @param consumed returns the credit for bytes that were handed on. */
  constructor(consumed: (cost: number) => void) {
    super({ highWaterMark });
    this.#consumed = consumed;
    // A caller that watches `exited` only must not be brought down by a stream it does not use.
    this.on("error", () => {});
  }

  /** Takes bytes from the guest. Those for a reader that went away are dropped. */
  deliver(bytes: Buffer, cost: number): void {
    if (this.destroyed) {
      this.#consumed(cost);
    } else if (this.#wanted && this.#waiting.length === 0) {
      this.#hand({ bytes, cost });
    } else {
      this.#waiting.push({ bytes, cost });
    }
  }

  /** Takes the end of the stream. */
  finish(): void {
    if (this.#end !== "open") return;
    this.#end = "due";
    this.#flush();
  }

  /** The connection is lost: an error for the reader, unless all of the stream is here already. */
  fail(error: Error): void {
    if (this.#end === "open") this.destroy(error);
  }

  override _read(): void {
    this.#wanted = true;
    this.#flush();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const piece of waiting) this.#consumed(piece.cost);
    callback(error);
  }

  #flush(): void {
    while (this.#wanted) {
      const piece = this.#waiting.shift();
      if (piece === undefined) break;
      this.#hand(piece);
    }
    if (this.#end === "due" && this.#waiting.length === 0 && !this.destroyed) {
      this.#end = "done";
      this.push(null);
    }
  }

  #hand(piece: Piece): void {
    this.#consumed(piece.cost);
    // An empty piece is no news to a reader, and pushing it would count as one.
    this.#wanted = piece.bytes.length === 0 || this.push(piece.bytes);
  }
}
