import { chmod, readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileFields } from "../file-request.ts";
import type { GuestFileStatus, GuestName } from "../file-status.ts";
import { GuestError } from "../errors.ts";
import { onHost } from "./host-files.ts";
import { TarStream } from "./read-tar-stream.ts";
import {
  type DownloadOptions,
  refuseFile,
  TransferCount,
  type TransferProgress,
} from "./transfer.ts";
import { fileOptions, type TreeWays } from "./tree-ways.ts";
import { temporaryBeside, unpackTree, writeHostFile } from "./unpack-tree.ts";

const defaultMaxBytes = 10 * 1024 ** 3;
const defaultMaxEntries = 1_000_000;

/** Copies a file or directory of the guest to this machine: see `GuestFiles.download`. */
export async function download(
  ways: TreeWays,
  guestPath: GuestName,
  hostPath: string,
  options: DownloadOptions,
): Promise<TransferProgress> {
  const { maxBytes = defaultMaxBytes, maxEntries = defaultMaxEntries } = options;
  const count = new TransferCount({ ...options, maxBytes, maxEntries });
  const status = await ways.stat(guestPath, fileOptions(options));
  const root = resolve(hostPath);
  const isThere = await isDirectory(root);
  if (status.type === "directory") {
    await downloadTree(ways, guestPath, root, isThere, count, options);
  } else if (status.type === "file") {
    const isInside = isThere || hostPath.endsWith("/");
    const path = isInside ? join(root, nameOf(guestPath)) : root;
    await downloadFile(ways, guestPath, status, path, count, options);
  } else {
    refuseFile(Buffer.from(guestPath as string).toString(), `a ${status.type}`);
  }
  return count.result;
}

async function downloadTree(
  ways: TreeWays,
  guestPath: GuestName,
  root: string,
  isThere: boolean,
  count: TransferCount,
  options: DownloadOptions,
): Promise<void> {
  const fields = fileFields("file.pack", { path: guestPath }, options);
  await using stream = await ways.stream("file.pack", fields, fileOptions(options), false);
  const archive = new TarStream(stream.output);
  if (isThere) {
    await unpackTree(archive, root, false, count);
    return;
  }
  const temporary = temporaryBeside(Buffer.from(root)).toString();
  try {
    await unpackTree(archive, temporary, true, count);
    await onHost("make the directory", root, () => rename(temporary, root));
  } catch (error) {
    await removeTree(temporary);
    throw error;
  }
}

async function downloadFile(
  ways: TreeWays,
  guestPath: GuestName,
  { mode, mtimeNs }: GuestFileStatus,
  path: string,
  count: TransferCount,
  options: DownloadOptions,
): Promise<void> {
  count.addEntry();
  const stream = await ways.read(guestPath, fileOptions(options));
  const mtime = Number(mtimeNs / 1_000_000n) / 1_000;
  await writeHostFile(Buffer.from(path), stream, { mode, mtime }, count).finally(() =>
    stream.destroy(),
  );
}

/** The last part of a guest's path, which must be a name here too. */
function nameOf(guestPath: GuestName): string {
  const name =
    Buffer.from(guestPath as string)
      .toString()
      .replace(/\/+$/, "")
      .split("/")
      .at(-1) ?? "";
  if (name === "" || name === "." || name === "..") {
    throw new GuestError(
      "GUEST_BAD_REQUEST",
      `Cannot copy ${JSON.stringify(name)} into a directory: it is not the name of a file`,
      { details: { op: "file.read", outcome: "not-started" } },
    );
  }
  return name;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

/** Removes what was unpacked, also from directories whose modes keep us out. */
async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await openUp(Buffer.from(path));
    await rm(path, { recursive: true, force: true });
  }
}

async function openUp(path: Buffer): Promise<void> {
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true, encoding: "buffer" })) {
    if (entry.isDirectory()) await openUp(Buffer.concat([path, Buffer.from("/"), entry.name]));
  }
}
