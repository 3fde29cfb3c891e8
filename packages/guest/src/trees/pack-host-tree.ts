import { constants, type Dirent } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { GuestError } from "../errors.ts";
import { tarEnd, tarPadding } from "../write-tar-header.ts";
import { hostPathOf, onHost } from "./host-files.ts";
import { type TarEntry, tarHeader } from "./tar-subset.ts";
import { pieceLength, type TransferCount } from "./transfer.ts";

interface Level {
  readonly name: string;
  readonly entries: Dirent<NonSharedBuffer>[];
}

/** What is to be sent of a file: its header comes, then its content. */
interface Found {
  readonly name: string;
  readonly kind: "file" | "directory" | "link";
}

/**
 * Reads a directory of this machine as an archive of the subset, each directory before what is in it. Symbolic links are not followed.
 * @throws GuestError `HOST_FAILED` for what cannot be read, `FILE_REFUSED`.
 */
export async function* packHostTree(root: string, count: TransferCount): AsyncGenerator<Buffer> {
  const pieces = new Pieces();
  for await (const { name, kind } of walk(root, count)) {
    count.addEntry();
    if (kind === "file") yield* packFile(root, name, pieces, count);
    else
      yield* pieces.put(
        await onHost("read", hostPathOf(root, name), () => headerOf(root, name, kind)),
      );
  }
  yield* pieces.put(tarEnd);
  yield* pieces.rest();
}

async function* walk(root: string, count: TransferCount): AsyncGenerator<Found> {
  const levels: Level[] = [];
  const enter = async (name: string): Promise<void> => {
    const path = hostPathOf(root, name);
    const entries = await onHost("read", path, () =>
      readdir(path, { withFileTypes: true, encoding: "buffer" }),
    );
    levels.push({ name, entries });
  };
  yield { name: "", kind: "directory" };
  await enter("");
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const entry = level.entries.pop();
    if (entry === undefined) {
      levels.pop();
      continue;
    }
    const name = `${level.name === "" ? "" : `${level.name}/`}${entry.name.toString("latin1")}`;
    const path = hostPathOf(root, name).toString();
    if (entry.isFile()) yield { name, kind: "file" };
    else if (entry.isSymbolicLink()) {
      if (count.takesLink(path)) yield { name, kind: "link" };
    } else if (entry.isDirectory()) {
      yield { name, kind: "directory" };
      await enter(name);
    } else count.skipSpecial(path);
  }
}

async function headerOf(root: string, name: string, kind: "directory" | "link"): Promise<Buffer> {
  const path = hostPathOf(root, name);
  const status = await lstat(path);
  const target = kind === "link" ? (await readlink(path, "buffer")).toString("latin1") : "";
  return tarHeader({ ...entryOf(name, status), type: kind, target });
}

function entryOf(
  name: string,
  status: { readonly mode: number; readonly mtimeMs: number },
): Omit<TarEntry, "type"> {
  const mtime = Math.floor(status.mtimeMs / 1_000);
  return { name: name === "" ? "." : name, mode: status.mode & 0o777, size: 0, mtime, target: "" };
}

async function* packFile(
  root: string,
  name: string,
  pieces: Pieces,
  count: TransferCount,
): AsyncGenerator<Buffer> {
  const path = hostPathOf(root, name);
  // What has become a link is not followed, and what has become a pipe not waited for.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using file = await onHost("read", path, () => open(path, flags));
  const status = await onHost("read", path, () => file.stat());
  if (!status.isFile()) throw changed(path, "is no file any more");
  yield* pieces.put(tarHeader({ ...entryOf(name, status), type: "file", size: status.size }));
  for (let left = status.size; left > 0;) {
    const room = pieces.room.subarray(0, left);
    const { bytesRead } = await onHost("read", path, () => file.read(room, 0, room.length));
    if (bytesRead === 0) throw changed(path, "became shorter while it was read");
    left -= bytesRead;
    count.addBytes(bytesRead);
    yield* pieces.fill(bytesRead);
  }
  yield* pieces.put(Buffer.alloc(tarPadding(status.size)));
}

function changed(path: Buffer, what: string): GuestError {
  return new GuestError(
    "HOST_FAILED",
    `Cannot copy ${JSON.stringify(path.toString())}: it ${what}`,
    {
      details: { path: path.toString() },
    },
  );
}

/** Puts small things together: each piece that is given out is full, but for the last. */
class Pieces {
  #piece = Buffer.allocUnsafe(pieceLength);
  #used = 0;

  /** Where the next bytes go; {@link fill} tells how many were put there. */
  get room(): Buffer {
    return this.#piece.subarray(this.#used);
  }

  *fill(length: number): Generator<Buffer> {
    this.#used += length;
    if (this.#used === pieceLength) yield* this.rest();
  }

  *put(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length;) {
      const length = bytes.copy(this.room, 0, at);
      at += length;
      yield* this.fill(length);
    }
  }

  *rest(): Generator<Buffer> {
    const piece = this.#piece.subarray(0, this.#used);
    this.#piece = Buffer.allocUnsafe(pieceLength);
    this.#used = 0;
    if (piece.length > 0) yield piece;
  }
}
