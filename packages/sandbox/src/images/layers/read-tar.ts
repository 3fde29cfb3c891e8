import type { FileHandle } from "node:fs/promises";
import { tarBlock, tarPadding } from "@virga/guest";
import type { TarFields } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import type { TarEntry } from "./tar-entry.ts";
import {
  badArchive,
  checkedPath,
  parseHeader,
  parsePax,
  paxNumber,
  paxXattrs,
  tarType,
} from "./tar-header.ts";
import type { PaxRecords } from "./tar-header.ts";

/** More than any name or attribute takes: what it says is read into memory. */
const MAX_EXTRA_BYTES = 2 ** 20;
const NONE: PaxRecords = new Map();

/**
 * Gives the entries of a tar archive in their order, contents unread: ustar, pax and GNU's long names. Nothing that an archive says is trusted but for the form
 * of its numbers. `IO_ERROR` for one that is damaged or cut off, `UNSUPPORTED` for sparse files, which container images do not have.
 */
export async function* readTar(file: FileHandle): AsyncGenerator<TarEntry, void> {
  const { size: end } = await file.stat();
  let pax = NONE;
  let longName: string | undefined;
  let longTarget: string | undefined;
  for (let at = 0; at < end;) {
    const header = parseHeader(await read(file, at, tarBlock));
    if (header === undefined) return;
    const size = (isExtra(header.flag) ? undefined : paxNumber(pax, "size")) ?? header.size;
    const offset = at + tarBlock;
    const type = tarType(header.flag);
    const isFile = type === "file";
    // Links and directories may claim a size; only files have a content. What is not known at all is skipped with its own.
    const content = isFile || type === undefined ? size : 0;
    if (content < 0 || offset + content > end) throw badArchive("it ends within a file");
    at = offset + content + tarPadding(content);
    if (header.flag === "x") pax = parsePax(await readExtra(file, offset, header));
    else if (header.flag === "L") longName = await readLong(file, offset, header);
    else if (header.flag === "K") longTarget = await readLong(file, offset, header);
    else {
      checkSparse(header, pax);
      if (type !== undefined) {
        const path = checkedPath(pax.get("path") ?? longName ?? header.name);
        yield {
          path,
          // Archives of before 1988 say it by the slash.
          type: isFile && path.endsWith("/") ? "directory" : type,
          mode: header.mode,
          uid: checkedId(paxNumber(pax, "uid") ?? header.uid),
          gid: checkedId(paxNumber(pax, "gid") ?? header.gid),
          mtime: paxNumber(pax, "mtime") ?? header.mtime,
          target: checkedPath(pax.get("linkpath") ?? longTarget ?? header.target),
          major: header.major,
          minor: header.minor,
          xattrs: paxXattrs(pax),
          size: isFile ? size : 0,
          offset,
        };
      }
      // A global header (`g`) is skipped, and keeps what was said for the next file.
      if (header.flag !== "g") {
        pax = NONE;
        longName = undefined;
        longTarget = undefined;
      }
    }
  }
}

/** Whether an entry says something of the next one and is no file. */
function isExtra(flag: string): boolean {
  return flag === "x" || flag === "g" || flag === "L" || flag === "K";
}

function checkSparse(header: TarFields, pax: PaxRecords): void {
  if (header.flag !== "S" && ![...pax.keys()].some((key) => key.startsWith("GNU.sparse."))) return;
  throw new VirgaError("UNSUPPORTED", "The archive has a sparse file, which cannot be read", {
    details: { feature: "sparse tar" },
  });
}

function checkedId(id: number): number {
  if (id < 0 || id > 0xffff_fffe) throw badArchive(`${id} is not the number of a user or group`);
  return id;
}

async function readLong(file: FileHandle, offset: number, header: TarFields): Promise<string> {
  const bytes = await readExtra(file, offset, header);
  const end = bytes.indexOf(0);
  return bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
}

async function readExtra(file: FileHandle, offset: number, header: TarFields): Promise<Buffer> {
  if (header.size > MAX_EXTRA_BYTES) throw badArchive(`a name takes ${header.size} bytes`);
  return read(file, offset, header.size);
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead < length) throw badArchive("it is cut off");
  return buffer;
}
