import { GuestError } from "./errors.ts";
import { maxPayloadLength } from "./frame.ts";
import {
  type MessageFields,
  type MessageInput,
  maxMessageDepth,
  maxMessageInteger,
} from "./message.ts";

/**
 * Encodes one map in the shortest MessagePack form.
 *
 * Written here and not taken from a library: the two directions must agree on a subset (integers only, strict
 * UTF-8, bounded depth) that the libraries do not offer; `@msgpack/msgpack` writes 1.5 as a float and replaces
 * broken UTF-8.
 *
 * @throws GuestError `GUEST_BAD_REQUEST` when a value is outside the subset or the result exceeds one frame.
 */
export function encodeMessage(fields: MessageFields | ReadonlyMap<string, MessageInput>): Buffer {
  const writer = new Writer();
  writeValue(writer, fields, "", 0);
  return writer.bytes();
}

class Writer {
  #buffer = Buffer.allocUnsafe(512);
  #length = 0;

  /** Makes room for `count` bytes and returns the offset where they go. */
  reserve(count: number): number {
    const start = this.#length;
    const end = start + count;
    if (end > maxPayloadLength) {
      throw new GuestError(
        "GUEST_BAD_REQUEST",
        `Cannot send a request of more than ${maxPayloadLength} bytes to the guest`,
        {
          hint: "Pass large values through standard input or a file instead of arguments and environment.",
        },
      );
    }
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    this.#length = end;
    return start;
  }

  byte(value: number): void {
    const at = this.reserve(1);
    this.#buffer[at] = value;
  }

  /** A type byte and a big-endian number of `size` bytes. */
  sized(type: number, size: 1 | 2 | 4, value: number): void {
    const at = this.reserve(1 + size);
    this.#buffer[at] = type;
    this.#buffer.writeUIntBE(value, at + 1, size);
  }

  signed(type: number, size: 1 | 2 | 4, value: number): void {
    const at = this.reserve(1 + size);
    this.#buffer[at] = type;
    this.#buffer.writeIntBE(value, at + 1, size);
  }

  wide(type: number, value: number): void {
    const at = this.reserve(9);
    this.#buffer[at] = type;
    this.#buffer.writeBigInt64BE(BigInt(value), at + 1);
  }

  raw(bytes: Uint8Array): void {
    // Reserve first: it may replace the buffer.
    const at = this.reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

function writeValue(writer: Writer, value: MessageInput, path: string, depth: number): void {
  if (value === null) writer.byte(0xc0);
  else if (typeof value === "boolean") writer.byte(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeInteger(writer, value, path);
  else if (typeof value === "string") writeString(writer, value, path);
  else if (value instanceof Uint8Array) {
    writeHeader(writer, value.length, 0xc4);
    writer.raw(value);
  } else if (typeof value === "object") {
    if (depth >= maxMessageDepth) refuse(path, `nested deeper than ${maxMessageDepth}`);
    if (isArray(value)) {
      writeCount(writer, value.length, 0x90, 0xdc);
      for (const [index, item] of value.entries())
        writeValue(writer, item, `${path}[${index}]`, depth + 1);
    } else {
      writeMap(writer, value, path, depth);
    }
  } else refuse(path, `a ${typeof value}`);
}

function writeMap(
  writer: Writer,
  value: MessageFields | ReadonlyMap<string, MessageInput>,
  path: string,
  depth: number,
): void {
  const entries: [string, MessageInput][] = [];
  for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
    if (item !== undefined) entries.push([key, item]);
  }
  writeCount(writer, entries.length, 0x80, 0xde);
  for (const [key, item] of entries) {
    writeString(writer, key, `${path} key`);
    writeValue(writer, item, path === "" ? key : `${path}.${key}`, depth + 1);
  }
}

function writeInteger(writer: Writer, value: number, path: string): void {
  if (!Number.isInteger(value) || Math.abs(value) > maxMessageInteger) {
    refuse(path, `${value}, not an integer below 2^53`);
  }
  if (value >= 0) {
    if (value < 0x80) writer.byte(value);
    else if (value < 0x100) writer.sized(0xcc, 1, value);
    else if (value < 0x1_0000) writer.sized(0xcd, 2, value);
    else if (value < 0x1_0000_0000) writer.sized(0xce, 4, value);
    else writer.wide(0xcf, value);
  } else if (value >= -0x20) writer.byte(0x100 + value);
  else if (value >= -0x80) writer.signed(0xd0, 1, value);
  else if (value >= -0x8000) writer.signed(0xd1, 2, value);
  else if (value >= -0x8000_0000) writer.signed(0xd2, 4, value);
  else writer.wide(0xd3, value);
}

function writeString(writer: Writer, value: string, path: string): void {
  if (!value.isWellFormed()) refuse(path, "a string with half of a surrogate pair");
  const bytes = Buffer.from(value);
  if (bytes.length < 0x20) writer.byte(0xa0 + bytes.length);
  else writeHeader(writer, bytes.length, 0xd9);
  writer.raw(bytes);
}

/** Length of a string or of bytes; `type` is the form with one byte, the next two follow it. */
function writeHeader(writer: Writer, length: number, type: number): void {
  if (length < 0x100) writer.sized(type, 1, length);
  else if (length < 0x1_0000) writer.sized(type + 1, 2, length);
  else writer.sized(type + 2, 4, length);
}

/** Count of a map or array; `type` is the form with two bytes, the one with four follows it. */
function writeCount(writer: Writer, count: number, short: number, type: number): void {
  if (count < 0x10) writer.byte(short + count);
  else if (count < 0x1_0000) writer.sized(type, 2, count);
  else writer.sized(type + 1, 4, count);
}

function isArray(value: object): value is readonly MessageInput[] {
  return Array.isArray(value);
}

function refuse(path: string, what: string): never {
  throw new GuestError("GUEST_BAD_REQUEST", `Cannot send "${path}" to the guest: it is ${what}`);
}
