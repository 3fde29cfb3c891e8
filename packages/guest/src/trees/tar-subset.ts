import { GuestError } from "../errors.ts";

/**
 * The subset of tar that trees are sent in, see `native/agent/tar.h`: ustar headers, each with a pax header before it for what does not
 * fit in. Names hold one byte a character, whatever they mean.
 */
export interface TarEntry {
  readonly type: "file" | "directory" | "link" | "special";
  /** Below the directory that is sent, which is itself `"."`. */
  readonly name: string;
  readonly mode: number;
  /** Bytes of content; 0 for all but files. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a symbolic link, else empty. */
  readonly target: string;
}

/** Bytes of a block: headers are one, contents and pax headers are padded to whole ones. */
export const tarBlock = 512;

/** Longest pax header: what two names and a number can take, and more. */
export const maxPaxLength = 16_384;

const nameSize = 100;
const maxOctal = 0o77777777777;
/** Longest name of a file in Linux, with its NUL. */
const pathMax = 4_096;

const flags = { file: "0", link: "2", directory: "5" } as const;
const types: Readonly<Record<string, TarEntry["type"]>> = {
  "0": "file",
  "2": "link",
  "3": "special",
  "4": "special",
  "5": "directory",
  "6": "special",
};

/** The header of an entry. Its content follows, with {@link tarPadding} behind it. */
export function tarHeader(entry: TarEntry & { readonly type: keyof typeof flags }): Buffer {
  const records: [string, string][] = [];
  if (entry.name.length > nameSize) records.push(["path", entry.name]);
  if (entry.target.length > nameSize) records.push(["linkpath", entry.target]);
  if (entry.size > maxOctal) records.push(["size", String(entry.size)]);
  const size = entry.size > maxOctal ? 0 : entry.size;
  const plain = block({ ...entry, size, flag: flags[entry.type] });
  if (records.length === 0) return plain;
  const pax = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""), "latin1");
  const before = { name: "pax", mode: 0o644, size: pax.length, mtime: 0, target: "", flag: "x" };
  return Buffer.concat([block(before), pax, Buffer.alloc(tarPadding(pax.length)), plain]);
}

/** How many bytes fill a content of this length up to whole blocks. */
export function tarPadding(length: number): number {
  return (tarBlock - (length % tarBlock)) % tarBlock;
}

/** What ends an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlock);

/** Reads a header that is not the block of zeros of an archive's end; `"pax"` stands for a pax header, whose `size` counts. */
export function readTarHeader(bytes: Buffer): Omit<TarEntry, "type"> & {
  readonly type: TarEntry["type"] | "pax";
} {
  if (bytes.toString("latin1", 257, 263) !== "ustar\0") bad("a header that is not ustar's");
  if (octal(bytes, 148, 8) !== sumOf(bytes)) bad("a header whose checksum is wrong");
  const flag = bytes.toString("latin1", 156, 157);
  const type = flag === "x" ? "pax" : types[flag];
  if (type === undefined) return bad(`an entry of type ${JSON.stringify(flag)}`);
  const size = octal(bytes, 124, 12);
  if (size > 0 && type !== "file" && type !== "pax") bad("a content of what is no file");
  return {
    type,
    name: text(bytes, 0),
    mode: octal(bytes, 100, 8) & 0o7777,
    size,
    mtime: octal(bytes, 136, 12),
    target: text(bytes, 157),
  };
}

/** Changes an entry by the records of the pax header before it. Those of other keys are ignored. */
export function withPax(entry: TarEntry, pax: Buffer): TarEntry {
  let changed = entry;
  for (let at = 0; at < pax.length;) {
    const space = pax.indexOf(0x20, at);
    const digits = space < at ? "" : pax.toString("latin1", at, space);
    const end = at + (/^\d{1,9}$/.test(digits) ? Number(digits) : 0);
    if (space < at || end <= space + 1 || end > pax.length || pax[end - 1] !== 0x0a) {
      bad("a pax record of a wrong length");
    }
    const record = pax.toString("latin1", space + 1, end - 1);
    const equals = record.indexOf("=");
    const value = record.slice(equals + 1);
    const key = equals < 0 ? "" : record.slice(0, equals);
    if (key === "path") changed = { ...changed, name: value };
    else if (key === "linkpath") changed = { ...changed, target: value };
    else if (key === "size" && entry.type === "file") changed = { ...changed, size: whole(value) };
    at = end;
  }
  for (const path of [changed.name, changed.target]) {
    if (path.length >= pathMax || path.includes("\0")) bad("a name that no file can have");
  }
  return changed;
}

function block(fields: Omit<TarEntry, "type"> & { readonly flag: string }): Buffer {
  const bytes = Buffer.alloc(tarBlock);
  const number = (value: number, at: number, digits: number): void => {
    bytes.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  };
  bytes.write(fields.name.slice(0, nameSize), 0, "latin1");
  number(fields.mode, 100, 7);
  number(0, 108, 7);
  number(0, 116, 7);
  number(fields.size, 124, 11);
  number(Math.min(Math.max(fields.mtime, 0), maxOctal), 136, 11);
  bytes.write(fields.flag, 156, "latin1");
  bytes.write(fields.target.slice(0, nameSize), 157, "latin1");
  bytes.write("ustar\u000000", 257, "latin1");
  number(sumOf(bytes), 148, 6);
  bytes.write("\0 ", 154, "latin1");
  return bytes;
}

/** Of all bytes, those of the sum itself taken for spaces. */
function sumOf(bytes: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < tarBlock; at += 1) sum += at >= 148 && at < 156 ? 0 : (bytes[at] ?? 0);
  return sum;
}

/** Its length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return `${length}${rest}`;
}

function octal(bytes: Buffer, at: number, length: number): number {
  const digits = /^([0-7]*)[ \0]*$/.exec(bytes.toString("latin1", at, at + length))?.[1];
  return digits === undefined
    ? bad("a number that is not octal")
    : Number.parseInt(`0${digits}`, 8);
}

function whole(digits: string): number {
  const number = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  return Number.isSafeInteger(number) ? number : bad("a size that is none");
}

function text(bytes: Buffer, at: number): string {
  const field = bytes.subarray(at, at + nameSize);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? nameSize : end);
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent an archive with ${what}`, {
    details: { op: "file.pack", outcome: "unknown" },
  });
}
