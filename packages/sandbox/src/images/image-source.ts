import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { VirgaError, abortedError, errnoOf, errorText } from "@virga/vm";
import { spawnTool } from "../setup/spawn-tool.ts";
import type { Tool } from "../setup/spawn-tool.ts";
import { endOfProgram } from "./end-of-program.ts";

/** A root file system as a stream of tar, which can be read again and is the same each time. */
export interface ImageSource {
  /** For people. */
  readonly description: string;
  /** Rejects with `IO_ERROR`, and `ABORTED` by the signal, also where nothing comes for a while. */
  read(signal?: AbortSignal): AsyncIterable<Buffer>;
}

const MAGIC: readonly { readonly name: Compression; readonly bytes: readonly number[] }[] = [
  { name: "gzip", bytes: [0x1f, 0x8b] },
  { name: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
];

const READING: readonly string[] = [
  "--create",
  "--file=-",
  "--sort=name",
  "--format=posix",
  "--numeric-owner",
  // Times of access and the number of the process would make each reading another.
  "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
  "--xattrs",
  "--xattrs-include=user.*",
  "--xattrs-include=security.capability",
  "--one-file-system",
];

type Compression = "gzip" | "zstd" | "xz";

/** Whose files belong to root inside. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Opens a directory, or a tar file that may be compressed by gzip, xz or zstd. `NOT_FOUND`, or `INVALID_ARGUMENT` for anything else. What a directory has of
 * the `builder`'s, who is the user of this process by default, is root's in the image.
 */
export async function openImageSource(
  path: string,
  builder: Owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
): Promise<ImageSource> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      return {
        description: `directory ${path}`,
        read: (signal) => readDirectory(path, builder, signal),
      };
    }
    if (found.isFile()) {
      const compression = await compressionOf(path);
      return { description: `file ${path}`, read: (signal) => readFile(path, compression, signal) };
    }
  } catch (cause) {
    const missing = errnoOf(cause) === "ENOENT" || errnoOf(cause) === "ENOTDIR";
    const why = missing ? "it does not exist" : errorText(cause);
    throw new VirgaError(missing ? "NOT_FOUND" : "IO_ERROR", `Cannot read ${path}: ${why}`, {
      cause,
      details: { path },
    });
  }
  throw new VirgaError(
    "INVALID_ARGUMENT",
    `Cannot build an image from ${path}: it is neither a directory nor a tar file`,
    { details: { path } },
  );
}

/** Tar with its maps of owners as here-documents, which a shell gives as pipes: what Node makes are sockets, and no path leads to a socket. */
const MAPPED = `exec tar --owner-map=/dev/fd/3 --group-map=/dev/fd/4 "$@" 3<<uid 4<<gid
+$VIRGA_UID +0
uid
+$VIRGA_GID +0
gid
`;

/** What belongs to the user who builds belongs to root inside; what is on other file systems is left out. */
async function* readDirectory(
  path: string,
  { uid, gid }: Owner,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  const reading = [...READING, `--directory=${path}`, "."];
  const [program, args] =
    uid === 0 ? ["tar", reading] : ["/bin/sh", ["-c", MAPPED, "sh", ...reading]];
  const tool = spawnTool(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C", VIRGA_UID: String(uid), VIRGA_GID: String(gid) },
  });
  yield* outputOf({ ...tool, program: "tar" }, path, signal);
}

async function* readFile(
  path: string,
  compression: Compression | undefined,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  if (compression === undefined) yield* createReadStream(path) as AsyncIterable<Buffer>;
  else if (compression === "xz") {
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const tool = spawnTool("xz", ["--decompress", "--stdout", "--", path], { stdio });
    yield* outputOf(tool, path, signal);
  } else yield* unpacked(path, compression === "gzip" ? createGunzip() : createZstdDecompress());
}

async function* unpacked(path: string, unpack: Transform): AsyncIterable<Buffer> {
  // A failure of either end destroys the other, and shows in the loop.
  const feeding = pipeline(createReadStream(path), unpack);
  feeding.catch(() => undefined);
  try {
    yield* unpack as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new VirgaError("IO_ERROR", `Cannot read ${path}: ${errorText(cause)}`, { cause });
  }
}

async function* outputOf(
  tool: Tool,
  path: string,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  const ended = endOfProgram(tool, `read ${path}`);
  signal?.addEventListener("abort", tool.kill, { once: true });
  if (signal?.aborted === true) tool.kill();
  try {
    yield* tool.child.stdout as Readable as AsyncIterable<Buffer>;
    await ended;
  } catch (error) {
    throw signal?.aborted === true ? abortedError(`reading ${path}`, signal) : error;
  } finally {
    signal?.removeEventListener("abort", tool.kill);
    tool.kill();
  }
}

async function compressionOf(path: string): Promise<Compression | undefined> {
  const file = await open(path);
  try {
    const start = Buffer.alloc(8);
    await file.read(start, 0, start.length, 0);
    return MAGIC.find(({ bytes }) => bytes.every((byte, index) => start[index] === byte))?.name;
  } finally {
    await file.close();
  }
}
