import { TAR_BLOCK, xattrKey } from "./tar-entry.ts";
import type { TarAttributes, TarType } from "./tar-entry.ts";
import type { TarHeader } from "./tar-header.ts";

const FLAGS: Readonly<Record<TarType, string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
const MAX_NAME = 100;
const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;

/** The header of an entry, with the pax header before it that says what does not fit. Its content follows, padded by {@link tarPadding}. */
export function tarHeader(path: string, attributes: TarAttributes, size: number): Buffer {
  const { type, uid, gid, target, mtime, xattrs } = attributes;
  const records: [string, string][] = [];
  const fits = (key: string, value: number, most: number): number => {
    if (value >= 0 && value <= most) return value;
    records.push([key, String(value)]);
    return 0;
  };
  const name = type === "directory" ? `${path}/` : path;
  if (name.length > MAX_NAME) records.push(["path", name]);
  if (target.length > MAX_NAME) records.push(["linkpath", target]);
  const numbers = {
    uid: fits("uid", uid, MAX_ID),
    gid: fits("gid", gid, MAX_ID),
    size: fits("size", size, MAX_SIZE),
    mtime: fits("mtime", mtime, MAX_SIZE),
  };
  for (const [xattr, value] of xattrs) records.push([xattrKey(xattr), value]);
  const plain = header({ ...attributes, ...numbers, name, flag: FLAGS[type] });
  if (records.length === 0) return plain;
  const pax = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(""), "latin1");
  const none = { mode: 0o644, uid: 0, gid: 0, mtime: 0, target: "", major: 0, minor: 0 };
  const before = header({ ...none, name: "pax", flag: "x", size: pax.length });
  return Buffer.concat([before, pax, tarPadding(pax.length), plain]);
}

/** What fills a content of this length up to whole blocks. */
export function tarPadding(length: number): Buffer {
  return Buffer.alloc(-length & (TAR_BLOCK - 1));
}

/** What ends an archive. */
export const TAR_END: Buffer = Buffer.alloc(2 * TAR_BLOCK);

function header(fields: TarHeader): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  const put = (text: string, at: number): void => {
    block.write(text, at, "latin1");
  };
  const octal = (value: number, at: number, digits: number): void =>
    put(value.toString(8).padStart(digits, "0"), at);
  put(fields.name.slice(0, MAX_NAME), 0);
  octal(fields.mode, 100, 7);
  octal(fields.uid, 108, 7);
  octal(fields.gid, 116, 7);
  octal(fields.size, 124, 11);
  octal(fields.mtime, 136, 11);
  put(fields.flag, 156);
  put(fields.target.slice(0, MAX_NAME), 157);
  put("ustar\u000000", 257);
  octal(fields.major, 329, 7);
  octal(fields.minor, 337, 7);
  put("        ", 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return `${length}${rest}`;
}
