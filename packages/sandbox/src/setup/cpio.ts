/** One entry of an archive. Paths are relative, without a leading slash. */
export type CpioEntry =
  | { readonly type: "directory"; readonly path: string; readonly mode?: number }
  | {
      readonly type: "file";
      readonly path: string;
      readonly content: Buffer;
      readonly mode?: number;
    }
  | { readonly type: "link"; readonly path: string; readonly target: string }
  | {
      readonly type: "character";
      readonly path: string;
      readonly major: number;
      readonly minor: number;
      readonly mode?: number;
    };

const kinds = { directory: 0o040000, file: 0o100000, link: 0o120000, character: 0o020000 };
const modes = { directory: 0o755, file: 0o644, link: 0o777, character: 0o600 };
const TRAILER = "TRAILER!!!";

/**
 * Writes a `newc` archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same bytes, in
 * whatever order they come: sorted by path, owned by root, time 0. Folders on the way to an entry are added. Fails with a `RangeError` on a path
 * that is absolute, empty, has `..` in it or comes twice.
 */
export function cpioArchive(entries: Iterable<CpioEntry>): Buffer {
  const byPath = new Map<string, CpioEntry>();
  for (const entry of entries) {
    checkPath(entry.path);
    if (byPath.has(entry.path)) throw new RangeError(`the path ${entry.path} comes twice`);
    byPath.set(entry.path, entry);
  }
  for (const path of byPath.keys()) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join("/");
      if (!byPath.has(parent)) byPath.set(parent, { type: "directory", path: parent });
    }
  }
  // By bytes: a locale must not change the archive. A folder's path sorts before everything in it.
  const sorted = [...byPath.values()].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)),
  );
  const parts: Buffer[] = [];
  sorted.forEach((entry, index) => parts.push(...record(entry, index + 1)));
  parts.push(header({ inode: 0, mode: 0, links: 1, size: 0, major: 0, minor: 0 }, TRAILER));
  return Buffer.concat(parts);
}

function checkPath(path: string): void {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0")) {
    throw new RangeError(`"${path}" is no path of an archive`);
  }
}

function record(entry: CpioEntry, inode: number): Buffer[] {
  const content = contentOf(entry);
  const mode =
    kinds[entry.type] | ("mode" in entry ? (entry.mode ?? modes[entry.type]) : modes[entry.type]);
  const device = entry.type === "character" ? entry : { major: 0, minor: 0 };
  const links = entry.type === "directory" ? 2 : 1;
  return [
    header(
      { inode, mode, links, size: content.length, major: device.major, minor: device.minor },
      entry.path,
    ),
    content,
    Buffer.alloc(padding(content.length)),
  ];
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.type === "file") return entry.content;
  return entry.type === "link" ? Buffer.from(entry.target) : Buffer.alloc(0);
}

interface Header {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
}

function header(fields: Header, path: string): Buffer {
  const name = Buffer.from(`${path}\0`);
  const numbers = [
    fields.inode,
    fields.mode,
    0, // owner
    0, // group
    fields.links,
    0, // time
    fields.size,
    0, // device of the file system, major and minor
    0,
    fields.major,
    fields.minor,
    name.length,
    0, // checksum, unused in this format
  ];
  const text = `070701${numbers.map((value) => value.toString(16).padStart(8, "0")).join("")}`;
  const bytes = Buffer.concat([Buffer.from(text), name]);
  return Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);
}

function padding(length: number): number {
  return -length & 3;
}
