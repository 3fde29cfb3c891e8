import { createHash } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { abortedError, errnoOf, errorText, isVirgaError, readSnapshot } from "@virga/vm";
import type { SnapshotManifest } from "@virga/vm";
import { publishFile } from "../setup/publish.ts";
import { upperOf } from "../templates/template-paths.ts";

const FORMAT = 1;

/** Part of the format: what the hash is of. */
const CHUNK_BYTES = 64 * 1024;
/** So much is read at once. */
const READ_CHUNKS = 64;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

interface FileHash {
  readonly bytes: number;
  readonly sha256: string;
}

/** `hashes.json` beside a snapshot: of the files that are too large to be hashed on the way to a restore. */
interface SnapshotHashes {
  readonly format: typeof FORMAT;
  readonly files: Readonly<Record<string, FileHash>>;
}

/** Where the hashes of the snapshot in `snapshotDirectory` are kept. */
export function hashesOf(snapshotDirectory: string): string {
  return join(dirname(snapshotDirectory), "hashes.json");
}

/** Hashes memory and disk of a published snapshot, and keeps the hashes beside it. Neither changes any more. */
export async function writeHashes(
  snapshotDirectory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const files: Record<string, FileHash> = {};
  for (const path of largeFiles(snapshotDirectory, await readSnapshot(snapshotDirectory))) {
    const hash = await hashFile(path, signal);
    if (hash !== undefined) files[basename(path)] = hash;
  }
  const hashes: SnapshotHashes = { format: FORMAT, files };
  await publishFile(hashesOf(snapshotDirectory), (work) =>
    writeFile(work, `${JSON.stringify(hashes, undefined, 2)}\n`),
  );
}

/**
 * What is wrong with a snapshot, compared with its manifest and its hashes: undefined when nothing is. One without hashes is checked as on the way to a restore.
 */
export async function verifySnapshot(
  snapshotDirectory: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let manifest;
  try {
    manifest = await readSnapshot(snapshotDirectory);
  } catch (error) {
    if (!isVirgaError(error)) throw error;
    return errorText(error);
  }
  const hashes = await readHashes(hashesOf(snapshotDirectory));
  if (hashes === "damaged") return "its hashes.json is damaged";
  const paths = largeFiles(snapshotDirectory, manifest);
  for (const [name, expected] of Object.entries(hashes?.files ?? {})) {
    const path = paths.find((candidate) => basename(candidate) === name);
    const found = path === undefined ? undefined : await hashFile(path, signal);
    if (found === undefined) return `${name} is gone`;
    if (found.bytes !== expected.bytes)
      return `${name} has ${found.bytes} bytes instead of ${expected.bytes}`;
    if (found.sha256 !== expected.sha256) return `${name} is not what it was when it was written`;
  }
  return undefined;
}

function largeFiles(
  snapshotDirectory: string,
  { memory }: Pick<SnapshotManifest, "memory">,
): string[] {
  return [join(snapshotDirectory, memory.file), upperOf(snapshotDirectory)];
}

/**
 * A hash of what is in a sparse file: of each chunk that is not all zeros, and where it is. Holes are as good as zeros, and cost little. Undefined when there is
 * no such file.
 */
async function hashFile(
  path: string,
  signal: AbortSignal | undefined,
): Promise<FileHash | undefined> {
  let file;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES * READ_CHUNKS);
    let position = 0;
    for (;;) {
      if (signal?.aborted === true) throw abortedError(`hashing ${path}`, signal);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return { bytes: position, sha256: hash.digest("hex") };
      // A short read ends between two chunks only at the end of the file.
      const usable = bytesRead - (bytesRead % CHUNK_BYTES) || bytesRead;
      for (let start = 0; start < usable; start += CHUNK_BYTES) {
        const chunk = buffer.subarray(start, Math.min(start + CHUNK_BYTES, usable));
        if (chunk.equals(ZEROS.subarray(0, chunk.length))) continue;
        hash.update(`${position + start}:${chunk.length}:`).update(chunk);
      }
      position += usable;
    }
  } finally {
    await file.close();
  }
}

async function readHashes(path: string): Promise<SnapshotHashes | "damaged" | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    return isHashes(value) ? value : "damaged";
  } catch {
    return "damaged";
  }
}

function isHashes(value: unknown): value is SnapshotHashes {
  const { format, files } = (value ?? {}) as Partial<SnapshotHashes>;
  return (
    format === FORMAT &&
    typeof files === "object" &&
    files !== null &&
    Object.values(files).every(
      (file: Partial<FileHash> | null) =>
        typeof file?.sha256 === "string" && Number.isSafeInteger(file.bytes),
    )
  );
}
