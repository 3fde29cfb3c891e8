import { GuestError } from "../errors.ts";
import { tarMaxNumber, tarNameSize, tarSum, writeTarHeader } from "../write-tar-header.ts";

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

/** Longest pax header: what two names and a number can take, and more. */
export const maxPaxLength = 16_384;

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

/** The header of an entry. Its content follows, padded to whole blocks. A time that does not fit in is the nearest one that does. */
export function tarHeader(entry: TarEntry & { readonly type: keyof typeof flags }): Buffer {
  const mtime = Math.min(Math.max(entry.mtime, 0), tarMaxNumber);
  const none = { uid: 0, gid: 0, major: 0, minor: 0 };
  return writeTarHeader({ ...entry, ...none, mtime, flag: flags[entry.type] });
}

/** Reads a header that is not the block of zeros of an archive's end; `"pax"` stands for a pax header, whose `size` counts. */
export function readTarHeader(bytes: Buffer): Omit<TarEntry, "type"> & {
  readonly type: TarEntry["type"] | "pax";
} {
  if (bytes.toString("latin1", 257, 263) !== "ustar\0") bad("a header that is not ustar's");
  if (octal(bytes, 148, 8) !== tarSum(bytes)) bad("a header whose checksum is wrong");
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
  const field = bytes.subarray(at, at + tarNameSize);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? tarNameSize : end);
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent an archive with ${what}`, {
    details: { op: "file.pack", outcome: "unknown" },
  });
}
