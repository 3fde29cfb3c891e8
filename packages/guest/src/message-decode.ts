import { GuestError } from "./errors.ts";
import {
  type MessageMap,
  type MessageValue,
  maxMessageDepth,
  maxMessageInteger,
} from "./message.ts";

/**
 * Decodes one MessagePack map that came from the guest.
 *
 * Written here because the bytes are hostile: a library would have to refuse floats, extensions, broken UTF-8,
 * keys that are no strings, keys that stand twice, deep nesting and trailing bytes, and keep strings apart from bytes.
 * `@msgpack/msgpack` cannot be told to do the first, third and fifth.
 *
 * @throws GuestError `GUEST_PROTOCOL` for anything outside the subset.
 */
export function decodeMessage(bytes: Uint8Array): MessageMap {
  const reader = new Reader(bytes);
  const value = readValue(reader, 0);
  if (!(value instanceof Map)) bad("not a map");
  if (reader.remaining > 0) bad(`${reader.remaining} bytes after its end`);
  return value as MessageMap;
}

// ignoreBOM keeps a leading U+FEFF: what the guest sent is what we hand on.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  take(count: number): Buffer {
    if (count > this.remaining) bad("cut short");
    const start = this.#offset;
    this.#offset = start + count;
    return this.#bytes.subarray(start, this.#offset);
  }

  unsigned(size: 1 | 2 | 4): number {
    return this.take(size).readUIntBE(0, size);
  }

  signed(size: 1 | 2 | 4): number {
    return this.take(size).readIntBE(0, size);
  }
}

function readValue(reader: Reader, depth: number): MessageValue {
  const type = reader.unsigned(1);
  if (type < 0x80) return type;
  if (type < 0x90) return readMap(reader, type & 0x0f, depth);
  if (type < 0xa0) return readArray(reader, type & 0x0f, depth);
  if (type < 0xc0) return readString(reader, type & 0x1f);
  if (type >= 0xe0) return type - 0x100;
  switch (type) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
      return readBytes(reader, reader.unsigned(1));
    case 0xc5:
      return readBytes(reader, reader.unsigned(2));
    case 0xc6:
      return readBytes(reader, reader.unsigned(4));
    case 0xcc:
      return reader.unsigned(1);
    case 0xcd:
      return reader.unsigned(2);
    case 0xce:
      return reader.unsigned(4);
    case 0xcf:
      return wide(reader.take(8).readBigUInt64BE());
    case 0xd0:
      return reader.signed(1);
    case 0xd1:
      return reader.signed(2);
    case 0xd2:
      return reader.signed(4);
    case 0xd3:
      return wide(reader.take(8).readBigInt64BE());
    case 0xd9:
      return readString(reader, reader.unsigned(1));
    case 0xda:
      return readString(reader, reader.unsigned(2));
    case 0xdb:
      return readString(reader, reader.unsigned(4));
    case 0xdc:
      return readArray(reader, reader.unsigned(2), depth);
    case 0xdd:
      return readArray(reader, reader.unsigned(4), depth);
    case 0xde:
      return readMap(reader, reader.unsigned(2), depth);
    case 0xdf:
      return readMap(reader, reader.unsigned(4), depth);
    default:
      return bad(`type 0x${type.toString(16)} is not in use`);
  }
}

function readMap(reader: Reader, count: number, depth: number): MessageMap {
  enter(depth);
  const map = new Map<string, MessageValue>();
  for (let index = 0; index < count; index += 1) {
    const key = readValue(reader, depth + 1);
    if (typeof key !== "string") bad("a key that is not a string");
    if (map.has(key as string)) bad("a key that stands twice");
    map.set(key as string, readValue(reader, depth + 1));
  }
  return map;
}

function readArray(reader: Reader, count: number, depth: number): MessageValue[] {
  enter(depth);
  const array: MessageValue[] = [];
  for (let index = 0; index < count; index += 1) array.push(readValue(reader, depth + 1));
  return array;
}

function enter(depth: number): void {
  if (depth >= maxMessageDepth) bad(`nested deeper than ${maxMessageDepth}`);
}

function readString(reader: Reader, length: number): string {
  try {
    return utf8.decode(reader.take(length));
  } catch (error) {
    if (error instanceof GuestError) throw error;
    return bad("a string that is not UTF-8");
  }
}

/** A copy: the frame's buffer is not ours to keep. */
function readBytes(reader: Reader, length: number): Uint8Array {
  return Uint8Array.from(reader.take(length));
}

function wide(value: bigint): number {
  const number = Number(value);
  if (Math.abs(number) > maxMessageInteger || BigInt(number) !== value)
    bad("an integer of 2^53 or more");
  return number;
}

function bad(what: string): never {
  throw new GuestError(
    "GUEST_PROTOCOL",
    `The guest agent sent a message that cannot be read: ${what}`,
  );
}
