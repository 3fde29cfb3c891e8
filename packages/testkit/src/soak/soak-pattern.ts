import { randomBytes } from "node:crypto";

const LINE_BYTES = 32;

/** Bytes that nobody else sends: each line names this stream and its place in it. */
export class SoakPattern {
  /** 22 hexadecimal digits. */
  readonly nonce: string = randomBytes(11).toString("hex");

  /** The `length` bytes at `offset`. */
  at(offset: number, length: number): Buffer {
    const first = Math.floor(offset / LINE_BYTES);
    const last = Math.ceil((offset + length) / LINE_BYTES);
    let text = "";
    for (let line = first; line < last; line++) {
      text += `${this.nonce}:${line.toString(16).padStart(8, "0")}\n`;
    }
    const start = offset - first * LINE_BYTES;
    return Buffer.from(text, "latin1").subarray(start, start + length);
  }
}

/** Numbers from 0 to below 1, the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
