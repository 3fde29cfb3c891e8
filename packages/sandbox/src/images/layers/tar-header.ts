import { tarSum } from "@virga/guest";
import type { TarFields } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import { xattrName } from "./tar-entry.ts";
import type { TarType } from "./tar-entry.ts";

/** Records of a pax header, which override the header behind it. */
export type PaxRecords = ReadonlyMap<string, string>;

const TYPES: Readonly<Record<string, TarType>> = {
  "\0": "file",
  "0": "file",
  "1": "link",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
};

const PATH_MAX = 4096;

/** `IO_ERROR`: an archive is not what it should be. */
export function badArchive(what: string): VirgaError {
  return new VirgaError("IO_ERROR", `The archive is damaged: ${what}`);
}

/** What the flag stands for; undefined for one that stands for no file. */
export function tarType(flag: string): TarType | undefined {
  return TYPES[flag];
}

/** Reads a header block; undefined for the block of zeros that ends an archive. */
export function parseHeader(block: Buffer): TarFields | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block, 148, 8) !== tarSum(block)) {
    throw badArchive("the checksum of a header is wrong");
  }
  // GNU's own variant has other fields in the place of the prefix.
  const isPosix = block.toString("latin1", 257, 263) === "ustar\0";
  const prefix = isPosix ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const hasDevice = block.toString("latin1", 257, 262) === "ustar";
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    flag: block.toString("latin1", 156, 157),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    target: text(block, 157, 100),
    major: hasDevice ? number(block, 329, 8) : 0,
    minor: hasDevice ? number(block, 337, 8) : 0,
  };
}

/** Reads the records of a pax header: each is `LENGTH KEY=VALUE` and a line feed, the length that of all of it. */
export function parsePax(content: Buffer): PaxRecords {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(content.toString("latin1", at, space));
    const end = at + length;
    const isWhole = Number.isSafeInteger(length) && end > space + 1 && end <= content.length;
    if (!isWhole || content[end - 1] !== 0x0a) throw badArchive("a pax record has a wrong length");
    const record = content.toString("latin1", space + 1, end - 1);
    const equals = record.indexOf("=");
    if (equals < 1) throw badArchive("a pax record has no name");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** A whole number of a pax record; fractions of seconds are dropped. */
export function paxNumber(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key);
  if (value === undefined) return undefined;
  const whole = /^(-?\d{1,15})(?:\.\d*)?$/u.exec(value)?.[1];
  if (whole === undefined) throw badArchive(`the pax record ${key} is no number`);
  return Number(whole);
}

/** The extended attributes among the records. */
export function paxXattrs(records: PaxRecords): ReadonlyMap<string, string> {
  const xattrs = new Map<string, string>();
  for (const [key, value] of records) {
    const name = xattrName(key);
    if (name !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}

/** Fails on a path that no file system has. */
export function checkedPath(path: string): string {
  if (path.length >= PATH_MAX) throw badArchive(`a path is ${path.length} bytes long`);
  if (path.includes("\0")) throw badArchive("a path has a NUL byte in it");
  return path;
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? length : end);
}

/** Octal digits, or, for large and negative numbers, binary with the first bit set. */
function number(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  if (first >= 0x80) {
    let value = BigInt(first === 0xff ? -1 : first & 0x7f);
    for (let index = at + 1; index < at + length; index++) {
      value = value * 256n + BigInt(block[index] ?? 0);
    }
    const small = Number(value);
    if (!Number.isSafeInteger(small)) throw badArchive("a number in a header is too large");
    return small;
  }
  const digits = block.toString("latin1", at, at + length).replaceAll(/^[ \0]+|[ \0].*$/gsu, "");
  if (!/^[0-7]*$/u.test(digits)) throw badArchive("a number in a header is not octal");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}
