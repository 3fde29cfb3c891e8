import { createHash, randomBytes } from "node:crypto";
import { lstat, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { VirgaError, abortedError, errnoOf, isVirgaError } from "../errors.ts";
import { openPlainFile } from "../open-plain-file.ts";
import { writeFileAtomic } from "../write-file-atomic.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import type { SnapshotFile, SnapshotManifest } from "./manifest.ts";
import { copySparse } from "./sparse-copy.ts";

/** Files up to this size are hashed: state and configuration, never the memory. */
const HASHED_BYTES = 8 * 1024 * 1024;

/** Fails unless `directory` can become a snapshot: absent, or an empty directory. */
export async function checkDestination(directory: string): Promise<void> {
  let entries: string[];
  try {
    // Of the name itself: nothing can be renamed over a link, not even over one that leads to an empty directory, nor over what is mounted.
    const found = await lstat(directory);
    if (!found.isDirectory()) throw notUsable(directory, "is not a directory");
    if (found.dev !== (await stat(dirname(directory))).dev)
      throw notUsable(directory, "is where a file system is mounted");
    entries = await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw isVirgaError(error) ? error : notUsable(directory, "is not a directory", error);
  }
  if (entries.length > 0) throw notUsable(directory, "is not empty");
}

function notUsable(directory: string, why: string, cause?: unknown): VirgaError {
  return new VirgaError("INVALID_ARGUMENT", `Snapshot directory ${directory} ${why}`, {
    cause,
    details: { directory },
    hint: "Name a directory that does not exist, or an empty one.",
  });
}

/** Name of the temporary directory beside `directory`, on the same file system, that will be renamed to it. Nothing is made yet. */
export function temporaryFor(directory: string): string {
  return join(
    dirname(directory),
    `.${basename(directory)}.virga-${randomBytes(6).toString("hex")}`,
  );
}

/** What is published: files of a directory, the facts about them. */
export interface Publication {
  /** Where the VMM wrote. */
  readonly source: string;
  readonly files: readonly string[];
  /** Whether whoever restores must be able to write to the memory's file, although nothing is written: a QEMU without `rom=off` opens it so. */
  readonly memoryWritable: boolean;
  readonly manifest: Omit<SnapshotManifest, "files">;
}

/** Moves what the VMM wrote into `temporary`, syncs it, writes the manifest. Only plain files are taken: the VMM may write in `source`. `ABORTED` by the signal. */
export async function fillTemporary(
  temporary: string,
  publication: Publication,
  signal?: AbortSignal,
): Promise<SnapshotManifest> {
  for (const name of publication.files) {
    await moveFile(join(publication.source, name), join(temporary, name), signal);
  }
  // Together, so that the disk is waited for once. All are waited for: an undo must find nobody at work here.
  const finished = await Promise.allSettled(
    publication.files.map(async (name): Promise<SnapshotFile> => {
      const writable = publication.memoryWritable && name === publication.manifest.memory.file;
      const facts = await finishFile(join(temporary, name), writable ? 0o600 : 0o444);
      return { name, ...facts };
    }),
  );
  const files = finished.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
  const manifest: SnapshotManifest = { ...publication.manifest, files };
  await writeFileAtomic(
    join(temporary, MANIFEST_FILE),
    `${JSON.stringify(manifest, undefined, 2)}\n`,
  );
  return manifest;
}

/** Sets a file's mode, makes it durable, and measures it; small ones are hashed. */
async function finishFile(path: string, mode: number): Promise<Omit<SnapshotFile, "name">> {
  const file = await openPlainFile(path);
  try {
    await file.chmod(mode);
    await file.sync();
    const { size: bytes } = await file.stat();
    if (bytes > HASHED_BYTES) return { bytes };
    const sha256 = createHash("sha256")
      .update(await file.readFile())
      .digest("hex");
    return { bytes, sha256 };
  } finally {
    await file.close();
  }
}

/** Puts the finished temporary directory in its place. Not durable before its parent is synced. */
export async function publish(temporary: string, directory: string): Promise<void> {
  // rename() replaces an empty directory, and fails on one that was filled meanwhile.
  await rename(temporary, directory);
}

async function moveFile(
  source: string,
  destination: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted === true) throw abortedError(`publishing ${source}`, signal);
  try {
    await rename(source, destination);
  } catch (error) {
    if (errnoOf(error) !== "EXDEV") throw error;
    await copySparse(source, destination, { signal });
    await rm(source);
  }
}
