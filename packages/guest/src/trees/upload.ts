import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { GuestError } from "../errors.ts";
import { fileFields } from "../file-request.ts";
import type { GuestName } from "../file-status.ts";
import { sendContent } from "../send-content.ts";
import { onHost } from "./host-files.ts";
import { packHostTree } from "./pack-host-tree.ts";
import {
  pieceLength,
  refuseFile,
  TransferCount,
  type TransferProgress,
  type UploadOptions,
} from "./transfer.ts";
import { fileOptions, type TreeWays } from "./tree-ways.ts";

/** Copies a file or directory of this machine into the guest: see `GuestFiles.upload`. */
export async function upload(
  ways: TreeWays,
  hostPath: string,
  guestPath: GuestName,
  options: UploadOptions,
): Promise<TransferProgress> {
  const { owner } = options;
  const count = new TransferCount(options);
  const root = resolve(hostPath);
  const found = await onHost("read", root, () => stat(root));
  const who = fileOptions(options);
  if (found.isDirectory()) {
    const fields = fileFields("file.unpack", { path: guestPath, owner }, options);
    await using stream = await ways.stream("file.unpack", fields, who, true);
    await sendContent(packHostTree(root, count), stream);
  } else if (found.isFile()) {
    await using file = await onHost("read", root, () => open(root));
    const { mode, mtimeNs } = await onHost("read", root, () => file.stat({ bigint: true }));
    count.addEntry();
    await ways.write(await nameFor(ways, guestPath, root, options), content(file, root, count), {
      ...who,
      mode: Number(mode) & 0o777,
      mtimeNs,
      parents: true,
      ...(owner !== undefined && { owner }),
    });
  } else {
    refuseFile(root, "neither a file nor a directory");
  }
  return count.result;
}

/** A file gets the name, or goes into the directory that has it. */
async function nameFor(
  ways: TreeWays,
  guestPath: GuestName,
  root: string,
  options: UploadOptions,
): Promise<GuestName> {
  const path = Buffer.from(guestPath as string);
  const name = basename(root);
  if (path.at(-1) === 0x2f) return Buffer.concat([path, Buffer.from(name)]);
  try {
    const status = await ways.stat(guestPath, fileOptions(options));
    if (status.type === "directory") return Buffer.concat([path, Buffer.from(`/${name}`)]);
  } catch (error) {
    if (!(error instanceof GuestError) || error.code !== "GUEST_NOT_FOUND") throw error;
  }
  return guestPath;
}

async function* content(
  file: FileHandle,
  path: string,
  count: TransferCount,
): AsyncGenerator<Buffer> {
  for (;;) {
    const piece = Buffer.allocUnsafe(pieceLength);
    const { bytesRead } = await onHost("read", path, () => file.read(piece, 0, pieceLength));
    if (bytesRead === 0) return;
    count.addBytes(bytesRead);
    yield piece.subarray(0, bytesRead);
  }
}
