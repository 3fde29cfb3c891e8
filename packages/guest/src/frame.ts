import { GuestError } from "./errors.ts";

/** Numbers of the frame types. */
export const frameTypes = {
  request: 1,
  response: 2,
  data: 3,
  eof: 4,
  credit: 5,
  end: 6,
  control: 7,
  event: 8,
} as const;

/** Numbers of the byte streams of an operation. */
export const streamIds = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** Bytes of a frame around its payload. */
export const frameOverhead = 24;

/** Largest payload of a frame, in bytes. */
export const maxPayloadLength: number = 32_768 - frameOverhead;

const headerLength = 16;

/** One whole frame that passed its checks. The payload is a view: copy what you keep beyond the credit it costs. */
export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** Writes the frames of one direction. */
export class FrameEncoder {
  #tag: bigint;

  /** @param firstTag T of this direction. */
  constructor(firstTag: bigint) {
    this.#tag = firstTag;
  }

  /** The next frame, with `parts` one after another as its payload. Copies them. */
  encode(type: number, ...parts: readonly Uint8Array[]): Buffer {
    let length = 0;
    for (const part of parts) length += part.length;
    if (length > maxPayloadLength) throw new RangeError(`frame payload of ${length} bytes`);
    const frame = Buffer.allocUnsafe(length + frameOverhead);
    frame.writeUInt32LE(length, 0);
    frame.writeUInt32LE(type, 4);
    frame.writeBigUInt64LE(this.#tag, 8);
    let offset = headerLength;
    for (const part of parts) {
      frame.set(part, offset);
      offset += part.length;
    }
    frame.writeBigUInt64LE(BigInt.asUintN(64, ~this.#tag), offset);
    this.#tag = BigInt.asUintN(64, this.#tag + 1n);
    return frame;
  }
}

/**
 * Reads the frames of one direction from bytes that come in any pieces. Holds at most one incomplete frame.
 * A welcome for our own hello that comes late, between frames, is dropped.
 */
export class FrameDecoder {
  #tag: bigint;
  /** What a late welcome begins with. */
  readonly #welcome: Uint8Array;
  readonly #welcomeLength: number;
  /** Bytes of an incomplete frame, in a buffer of its own that becomes the frame's payload. */
  #partial = Buffer.alloc(0);
  #held = 0;

  /**
   * @param firstTag T of this direction.
   * @param welcome the first bytes of a record that may stand between frames, and its whole length.
   */
  constructor(firstTag: bigint, welcome: { readonly prefix: Uint8Array; readonly length: number }) {
    this.#tag = firstTag;
    this.#welcome = welcome.prefix;
    this.#welcomeLength = welcome.length;
  }

  /** How many bytes of an incomplete frame are held. */
  get pendingLength(): number {
    return this.#held;
  }

  /**
   * The frames completed by `chunk`. After an error the decoder is of no more use.
   * @throws GuestError `GUEST_PROTOCOL` at the first byte that cannot belong to a right frame.
   */
  *decode(chunk: Buffer): Generator<Frame, void, undefined> {
    let rest = chunk;
    while (rest.length > 0) {
      let record: Buffer;
      if (this.#held === 0) {
        const length = this.#measure(rest);
        if (length === undefined || length > rest.length) {
          this.#hold(rest, length ?? headerLength);
          return;
        }
        record = rest.subarray(0, length);
        rest = rest.subarray(length);
      } else {
        const wanted = this.#wanted();
        const taken = Math.min(wanted - this.#held, rest.length);
        this.#hold(rest.subarray(0, taken), wanted);
        rest = rest.subarray(taken);
        // Measured again also when bytes are missing: what is wrong must not wait for them.
        if (this.#held < this.#wanted()) continue;
        record = this.#partial.subarray(0, this.#held);
        this.#partial = Buffer.alloc(0);
        this.#held = 0;
      }
      const frame = this.#open(record);
      if (frame !== undefined) yield frame;
    }
  }

  /** How long the held record is, or how much of it must be there before that can be told. */
  #wanted(): number {
    return (
      this.#measure(this.#partial.subarray(0, this.#held)) ?? (this.#held < 4 ? 4 : headerLength)
    );
  }

  #hold(bytes: Buffer, length: number): void {
    const end = this.#held + bytes.length;
    if (this.#partial.length < Math.max(length, end)) {
      const larger = Buffer.allocUnsafe(Math.max(length, end));
      this.#partial.copy(larger, 0, 0, this.#held);
      this.#partial = larger;
    }
    bytes.copy(this.#partial, this.#held);
    this.#held = end;
  }

  /** Length of the record that `bytes` begin with; undefined while too few are there. */
  #measure(bytes: Buffer): number | undefined {
    if (bytes.length < 4) return undefined;
    const length = bytes.readUInt32LE(0);
    // The magic of a welcome reads as a length no frame can have.
    if (length > maxPayloadLength) {
      const compared = Math.min(bytes.length, this.#welcome.length);
      if (bytes.compare(this.#welcome, 0, compared, 0, compared) !== 0)
        bad(`a frame of ${length} bytes`);
      return this.#welcomeLength;
    }
    if (bytes.length < headerLength) return undefined;
    if (bytes.readBigUInt64LE(8) !== this.#tag) bad("a frame with a wrong tag");
    return length + frameOverhead;
  }

  #open(record: Buffer): Frame | undefined {
    const length = record.readUInt32LE(0);
    if (length > maxPayloadLength) return undefined;
    const end = headerLength + length;
    if (record.readBigUInt64LE(end) !== BigInt.asUintN(64, ~this.#tag))
      bad("a frame with a wrong trailer");
    this.#tag = BigInt.asUintN(64, this.#tag + 1n);
    return { type: record.readUInt32LE(4), payload: record.subarray(headerLength, end) };
  }
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent ${what}`);
}
