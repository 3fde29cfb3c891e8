import type { Readable } from "node:stream";
import { Answer } from "./answer.ts";
import { GuestError } from "./errors.ts";
import {
  type FileOptions,
  fileFields,
  type ReadOptions,
  timeFields,
  type WriteOptions,
  writeFields,
} from "./file-request.ts";
import { type GuestFileStatus, type GuestName, parseStatus } from "./file-status.ts";
import { GuestWatch } from "./guest-watch.ts";
import type { MessageFields, MessageMap } from "./message.ts";
import { readRecords } from "./record-reader.ts";
import { sendContent } from "./send-content.ts";
import type { GuestStream } from "./stream-operation.ts";
import type { DownloadOptions, TransferProgress, UploadOptions } from "./trees/transfer.ts";
import type { TreeWays } from "./trees/tree-ways.ts";

/** How {@link GuestFiles} reaches the agent. */
export interface FileCalls {
  call(op: string, fields: MessageFields, options: FileOptions): Promise<MessageMap>;
  stream(
    op: string,
    fields: MessageFields,
    options: FileOptions,
    hasInput: boolean,
  ): Promise<GuestStream>;
}

/** One of the files below a directory. */
export type GuestFileEntry = { readonly path: GuestName } & (
  | (GuestFileStatus & { readonly errno?: undefined })
  | {
      /** Why this directory, which stands in the list already, could not be read. */
      readonly errno: number;
    }
);

/** Most bytes that `readFile` returns unless it is told otherwise. */
const defaultMaxBytes = 16 * 1024 * 1024;

/**
 * The files of one guest. Every operation runs in a process of its own in the guest, as `user` (default: root), among what is frozen for snapshots.
 * Paths are the guest's, text or bytes; symbolic links are followed as the guest has them.
 *
 * All calls reject with a GuestError: `GUEST_NOT_FOUND`, `GUEST_EXISTS`, `GUEST_DENIED`, `GUEST_NOT_DIRECTORY`, `GUEST_IS_DIRECTORY`,
 * `GUEST_NOT_EMPTY`, `GUEST_NO_SPACE`, `GUEST_FAILED` (with `details.errno`) and those of every call.
 */
export class GuestFiles {
  readonly #calls: FileCalls;

  constructor(calls: FileCalls) {
    this.#calls = calls;
  }

  /** Tells what a file is. `follow: false` looks at a symbolic link itself. */
  async stat(
    path: GuestName,
    options: FileOptions & { readonly follow?: boolean } = {},
  ): Promise<GuestFileStatus> {
    const fields = fileFields("file.stat", { path, follow: options.follow }, options);
    const answer = await this.#calls.call("file.stat", fields, options);
    return parseStatus(new Answer("file.stat", answer));
  }

  /**
   * Goes through the files of a directory, each directory before what is in it, in the guest's order.
   * Symbolic links are not followed. Who stops early ends it in the guest.
   * @param options `depth`: how many levels, 1 to 200, default 1.
   */
  async *list(
    path: GuestName,
    options: FileOptions & { readonly depth?: number } = {},
  ): AsyncGenerator<GuestFileEntry> {
    const op = "file.list";
    const fields = fileFields(op, { path, depth: options.depth }, options);
    await using stream = await this.#calls.stream(op, fields, options, false);
    for await (const record of readRecords(stream.output)) {
      const answer = new Answer(op, record);
      const entry = { path: answer.name("path") };
      if (answer.has("errno")) yield { ...entry, errno: answer.integer("errno", 0, 4_095) };
      else yield { ...entry, ...parseStatus(answer) };
    }
  }

  /**
   * Reads a file as a stream, whose end is the end of what was asked for; whatever goes wrong before is an error of it.
   * Destroying it ends the reading in the guest.
   */
  async read(path: GuestName, options: ReadOptions = {}): Promise<Readable> {
    const { offset, length } = options;
    const fields = fileFields("file.read", { path, offset, length }, options);
    const stream = await this.#calls.stream("file.read", fields, options, false);
    stream.output.once("close", () => void stream.close());
    return stream.output;
  }

  /**
   * Reads a file whole.
   * @param options `maxBytes`: what is longer is `GUEST_TOO_LARGE`; default 16 MiB.
   */
  async readFile(
    path: GuestName,
    options: ReadOptions & { readonly maxBytes?: number } = {},
  ): Promise<Buffer> {
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    const pieces: Buffer[] = [];
    let length = 0;
    const stream = await this.read(path, options);
    for await (const piece of stream as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > maxBytes) {
        throw new GuestError(
          "GUEST_TOO_LARGE",
          `The guest's file is longer than ${maxBytes} bytes`,
          {
            details: { op: "file.read" },
            hint: "Raise maxBytes, or read it as a stream.",
          },
        );
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /** Reads a file whole, as text in UTF-8; see {@link readFile}. */
  async readText(
    path: GuestName,
    options: ReadOptions & { readonly maxBytes?: number } = {},
  ): Promise<string> {
    return (await this.readFile(path, options)).toString("utf8");
  }

  /**
   * Writes a file. By default it takes the place of what is there all at once, when it is whole, and keeps mode and owner of that;
   * a new one has the mode 0644. A source that fails, an abort or a lost connection leaves what was there.
   * With `append` or `offset`, and to what is no ordinary file, it is written in place.
   */
  async write(
    path: GuestName,
    content: string | Uint8Array | AsyncIterable<Uint8Array | string>,
    options: WriteOptions = {},
  ): Promise<void> {
    const fields = writeFields(path, options);
    await using stream = await this.#calls.stream("file.write", fields, options, true);
    if (typeof content === "string" || content instanceof Uint8Array) {
      stream.input.end(content);
      await stream.done;
      return;
    }
    await sendContent(content, stream);
  }

  /**
   * Copies a file or directory of this machine into the guest, as `user` there. The guest needs no programs for it.
   * A file gets the name `guestPath`, or goes into it when that is a directory or ends with `/`; a directory's content goes into the directory of that name.
   * Directories that are missing are made. Permissions, times and symbolic links in a tree are kept, hard links become copies; each file takes the place
   * of what has its name when it is whole, and directories that are there stay as they are. After an error or abort the files sent so far stay.
   * @returns what was copied and left out.
   * @throws GuestError also `HOST_NOT_FOUND` and `HOST_FAILED` for this machine's files, `FILE_REFUSED`.
   */
  async upload(
    hostPath: string,
    guestPath: GuestName,
    options: UploadOptions = {},
  ): Promise<TransferProgress> {
    // Only who copies needs the modules that do it.
    const { upload } = await import("./trees/upload.ts");
    return upload(this.#ways(), hostPath, guestPath, options);
  }

  /**
   * Copies a file or directory of the guest to this machine, as far as `user` may read it there. The guest needs no programs for it.
   * A file gets the name `hostPath`, or goes into it when that is a directory or ends with `/`; a directory's content goes into the directory of that name, and
   * where there is none it appears when all of it has come. The directory above must exist. Each file takes the place of what has its name when it is whole.
   *
   * The guest may send what it likes: nothing is written outside of `hostPath`, nor through a symbolic link, and no more than `maxBytes` and `maxEntries`.
   * Files belong to who runs this, with the guest's permissions but for setuid bits and what the umask forbids. The links of a tree are the guest's and may lead
   * anywhere: who follows them later decides himself, or has them left out by `links`.
   * @returns what was copied and left out.
   * @throws GuestError also `GUEST_TOO_LARGE`, `HOST_NOT_FOUND` and `HOST_FAILED` for this machine's files, `FILE_REFUSED`.
   */
  async download(
    guestPath: GuestName,
    hostPath: string,
    options: DownloadOptions = {},
  ): Promise<TransferProgress> {
    const { download } = await import("./trees/download.ts");
    return download(this.#ways(), guestPath, hostPath, options);
  }

  /**
   * Watches a file, or a directory with all below it. Resolves when it does: what changes from then on is told of.
   * @param options `recursive: false`: only what is in the directory itself. `timeoutMs` also bounds the time until it watches.
   */
  async watch(
    path: GuestName,
    options: FileOptions & { readonly recursive?: boolean } = {},
  ): Promise<GuestWatch> {
    const fields = fileFields("file.watch", { path, recursive: options.recursive }, options);
    return GuestWatch.on(await this.#calls.stream("file.watch", fields, options, false));
  }

  /** Makes a directory. With `parents` also those above it, and one that is there already will do. */
  async mkdir(
    path: GuestName,
    options: FileOptions & {
      readonly mode?: number;
      readonly owner?: string;
      readonly parents?: boolean;
    } = {},
  ): Promise<void> {
    const { mode, owner, parents } = options;
    await this.#simple("file.mkdir", { path, mode, owner, parents }, options);
  }

  /** Removes a file, an empty directory, or (`recursive`) a tree; with `missingOk` none will do too. */
  async remove(
    path: GuestName,
    options: FileOptions & { readonly recursive?: boolean; readonly missingOk?: boolean } = {},
  ): Promise<void> {
    const { recursive, missingOk } = options;
    await this.#simple("file.remove", { path, recursive, missingOk }, options);
  }

  /** Gives a file another name, in place of what has it; with `replace: false` that is `GUEST_EXISTS`. */
  async rename(
    from: GuestName,
    to: GuestName,
    options: FileOptions & { readonly replace?: boolean } = {},
  ): Promise<void> {
    await this.#simple("file.rename", { from, to, replace: options.replace }, options);
  }

  /** Makes a symbolic link at `path` that leads to `target`. */
  async symlink(
    target: GuestName,
    path: GuestName,
    options: FileOptions & { readonly owner?: string } = {},
  ): Promise<void> {
    await this.#simple("file.symlink", { path, target, owner: options.owner }, options);
  }

  /** Sets what is given: mode, owner (`"user"`, `"user:group"`, `":group"`), time, and `user.*` attributes (null removes one). Gives the new status. */
  async set(
    path: GuestName,
    changes: {
      readonly mode?: number;
      readonly owner?: string;
      readonly mtimeNs?: bigint;
      readonly attributes?: Readonly<Record<string, Uint8Array | string | null>>;
    },
    options: FileOptions = {},
  ): Promise<GuestFileStatus> {
    const { mode, owner, mtimeNs, attributes } = changes;
    const time = mtimeNs === undefined ? undefined : timeFields(mtimeNs);
    const fields = { path, mode, owner, mtimeNs: time, attributes };
    const answer = await this.#simple("file.set", fields, options);
    return parseStatus(new Answer("file.set", answer));
  }

  /** The `user.*` attributes of a file, without that prefix: at most 30,000 bytes in all. */
  async attributes(path: GuestName, options: FileOptions = {}): Promise<Map<string, Buffer>> {
    const answer = await this.#simple("file.attributes", { path }, options);
    return new Answer("file.attributes", answer).bytesByName("attributes");
  }

  #ways(): TreeWays {
    return {
      stat: (path, options) => this.stat(path, options),
      read: (path, options) => this.read(path, options),
      write: (path, content, options) => this.write(path, content, options),
      stream: (op, fields, options, hasInput) => this.#calls.stream(op, fields, options, hasInput),
    };
  }

  async #simple(op: string, fields: MessageFields, options: FileOptions): Promise<MessageMap> {
    return this.#calls.call(op, fileFields(op, fields, options), options);
  }
}
