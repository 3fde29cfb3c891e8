import { writeTarHeader } from "@virga/guest";
import { xattrKey } from "./tar-entry.ts";
import type { TarAttributes, TarType } from "./tar-entry.ts";

const FLAGS: Readonly<Record<TarType, string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** The header of an entry, with the pax header before it that says what does not fit. Its content follows, padded to whole blocks. */
export function tarHeader(path: string, attributes: TarAttributes, size: number): Buffer {
  const { type, xattrs } = attributes;
  const name = type === "directory" ? `${path}/` : path;
  return writeTarHeader(
    { ...attributes, size, name, flag: FLAGS[type] },
    [...xattrs].map(([xattr, value]) => [xattrKey(xattr), value]),
  );
}
