/** The fields of one header of a tar archive. Texts hold one byte a character: names are bytes, whatever they mean. */
export interface TarFields {
  readonly name: string;
  /** One character that says what the entry is, e.g. `"0"` for a file. */
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a link, else empty. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
}

/** Records of a pax header: keys and values. */
export type TarRecords = readonly (readonly [key: string, value: string])[];

/** Bytes of a block: headers are one, contents and pax headers are padded to whole ones. */
export const tarBlock = 512;

/** Longest name that a header holds by itself. */
export const tarNameSize = 100;

/** Largest size, and latest time, that a header holds by itself. */
export const tarMaxNumber = 0o77777777777;

const maxId = 0o7777777;

/** What ends an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlock);

/** How many bytes fill a content of this length up to whole blocks. */
export function tarPadding(length: number): number {
  return (tarBlock - (length % tarBlock)) % tarBlock;
}

/**
 * Writes the ustar header of an entry, before it a pax header with what does not fit in and with `more` records. Its content follows,
 * with {@link tarPadding} behind it.
 */
export function writeTarHeader(fields: TarFields, more: TarRecords = []): Buffer {
  const records: (readonly [string, string])[] = [];
  if (fields.name.length > tarNameSize) records.push(["path", fields.name]);
  if (fields.target.length > tarNameSize) records.push(["linkpath", fields.target]);
  const fits = (key: "uid" | "gid" | "size" | "mtime", most: number): number => {
    const value = fields[key];
    if (value >= 0 && value <= most) return value;
    records.push([key, String(value)]);
    return 0;
  };
  const numbers = {
    uid: fits("uid", maxId),
    gid: fits("gid", maxId),
    size: fits("size", tarMaxNumber),
    mtime: fits("mtime", tarMaxNumber),
  };
  records.push(...more);
  const plain = block({ ...fields, ...numbers });
  if (records.length === 0) return plain;
  const pax = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""), "latin1");
  const none = { mode: 0o644, uid: 0, gid: 0, mtime: 0, target: "", major: 0, minor: 0 };
  const before = block({ ...none, name: "pax", flag: "x", size: pax.length });
  return Buffer.concat([before, pax, Buffer.alloc(tarPadding(pax.length)), plain]);
}

/** What the sum of a header must be: that of all bytes, those of the sum itself taken for spaces. */
export function tarSum(bytes: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < tarBlock; at += 1) sum += at >= 148 && at < 156 ? 0 : (bytes[at] ?? 0);
  return sum;
}

function block(fields: TarFields): Buffer {
  const bytes = Buffer.alloc(tarBlock);
  const put = (text: string, at: number): void => {
    bytes.write(text, at, "latin1");
  };
  const octal = (value: number, at: number, digits: number): void =>
    put(value.toString(8).padStart(digits, "0"), at);
  put(fields.name.slice(0, tarNameSize), 0);
  octal(fields.mode, 100, 7);
  octal(fields.uid, 108, 7);
  octal(fields.gid, 116, 7);
  octal(fields.size, 124, 11);
  octal(fields.mtime, 136, 11);
  put(fields.flag, 156);
  put(fields.target.slice(0, tarNameSize), 157);
  put("ustar\u000000", 257);
  octal(fields.major, 329, 7);
  octal(fields.minor, 337, 7);
  put(`${tarSum(bytes).toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
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
