import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errnoOf, tryLock } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { guardProgress } from "../progress.ts";
import type { OnProgress } from "../progress.ts";
import type { BuiltImage } from "./build-image.ts";
import { BUILT_IN_NAMES } from "./own-images.ts";
import { checkImageName } from "./image-name.ts";
import { imagePaths } from "./image-paths.ts";
import { IMAGE_FORMAT } from "./image-record.ts";
import type { ImageRecord } from "./image-record.ts";
import { ImageStore } from "./image-store.ts";
import { flattenLayers } from "./layers/flatten-layers.ts";
import { parseReference } from "./oci/image-reference.ts";
import type { ImageReference } from "./oci/image-reference.ts";
import { readLayout } from "./oci/read-layout.ts";
import { copyToLayout, inspectManifest } from "./oci/skopeo.ts";
import { unpackLayer } from "./oci/unpack-layer.ts";
import { packBase } from "./pack-base.ts";

const MIB = 2 ** 20;
const LOOK_MS = 500;
/** What an interrupted pull has fetched is kept for the next one this long. */
const KEEP_MS = 7 * 24 * 3_600_000;

/** Which image to pull. */
export interface PullImageOptions {
  /** The store's directory. */
  readonly directory: string;
  /** See {@link parseReference}. */
  readonly reference: string;
  /** The tag that points to it afterwards. Default: what the reference says. */
  readonly name?: string;
  readonly onProgress?: OnProgress;
  readonly logger?: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pulls a container image, from a registry or a file, without root: its layers are fetched by skopeo, checked against their digests, laid over each other and
 * packed. The image has the digest of its manifest, as registries have it; one that is there is not pulled again. What an interrupted pull has fetched serves the
 * next one. Needs the programs of the tool sets `images` and `pull`. `INVALID_ARGUMENT`, `IO_ERROR`; a failure leaves no image.
 */
export async function pullImage(options: PullImageOptions): Promise<BuiltImage> {
  const { directory, signal, logger } = options;
  const onProgress = guardProgress(options.onProgress, logger);
  const reference = parseReference(options.reference, process.cwd());
  const name = options.name ?? reference.name;
  checkImageName(name, BUILT_IN_NAMES);
  const store = new ImageStore({ directory, ...(logger && { logger }) });
  await store.sweep();
  await dropForgotten(directory);
  onProgress(`Looking for ${reference.name}`);
  const digest = digestOf(await inspectManifest(reference, signal));
  return store.ensure(digest, {
    name,
    signal,
    onWait: () => onProgress("Waiting for another process that pulls this image"),
    build: (base) => build({ directory, reference, digest, base, onProgress, signal }),
  });
}

interface Build {
  readonly directory: string;
  readonly reference: ImageReference;
  readonly digest: string;
  readonly base: string;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal | undefined;
}

/** Under the image's lock, which is that of what has been fetched of it, too. */
async function build(options: Build): Promise<ImageRecord> {
  const { reference, digest, base, onProgress, signal } = options;
  const fetched = imagePaths(options.directory, digest, "pulling").directory;
  await mkdir(fetched, { recursive: true, mode: 0o700 });
  await fetchLayers(options, fetched);
  const { settings, layers } = await readLayout(fetched);
  const unpacked = join(fetched, "unpacked");
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked, { mode: 0o700 });
  try {
    const files: string[] = [];
    let usedBytes = 0;
    for (const [index, layer] of layers.entries()) {
      const file = join(unpacked, String(index));
      const what = `Unpacking layer ${index + 1} of ${layers.length}`;
      const onBytes = told(onProgress, what);
      usedBytes += await unpackLayer(layer, file, { usedBytes, signal, onBytes });
      files.push(file);
    }
    const tar = flattenLayers(files, { directories: [settings.workdir], signal });
    const { sha256 } = await packBase(tar, base, { signal, onBytes: told(onProgress, "Packing") });
    await rm(fetched, { recursive: true, force: true });
    return {
      format: IMAGE_FORMAT,
      digest,
      createdAt: new Date().toISOString(),
      source: reference.source,
      ...settings,
      base: { bytes: (await stat(base)).size, sha256 },
    };
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
}

async function fetchLayers(options: Build, fetched: string): Promise<void> {
  const { reference, digest, onProgress, signal } = options;
  const tell = told(onProgress, `Pulling ${reference.name}`);
  // Skopeo says nothing of bytes where there is no terminal.
  let isFetching = true;
  const look = async (): Promise<void> => {
    const bytes = await sizeOf(fetched);
    if (isFetching) tell(bytes);
  };
  const looking = setInterval(() => void look(), LOOK_MS);
  try {
    const source = reference.pinned(digest) ?? reference.source;
    await copyToLayout(source, fetched, { isLoopback: reference.isLoopback, signal });
  } finally {
    isFetching = false;
    clearInterval(looking);
  }
  if (reference.pinned(digest) !== undefined) return;
  if (digestOf(await inspectManifest(reference, signal)) === digest) return;
  await rm(fetched, { recursive: true, force: true });
  throw new VirgaError("IO_ERROR", `Cannot pull ${reference.source}: it changed meanwhile`, {
    hint: "Pull it again when nothing writes there.",
  });
}

/** Removes what interrupted pulls have fetched and nobody has asked for since. */
async function dropForgotten(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const hex = /^\.pulling-([0-9a-f]{64})$/u.exec(name)?.[1];
    if (hex === undefined) continue;
    const lock = tryLock(imagePaths(directory, `sha256:${hex}`).lock);
    if (lock === undefined) continue;
    try {
      const fetchedMs = await stat(join(directory, name)).then(
        ({ mtimeMs }) => mtimeMs,
        (error: unknown) => {
          // The pull it was of has ended meanwhile.
          if (errnoOf(error) === "ENOENT") return Infinity;
          throw error;
        },
      );
      if (fetchedMs > Date.now() - KEEP_MS) continue;
      await rm(join(directory, name), { recursive: true, force: true });
    } finally {
      lock.release();
    }
  }
}

async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

function told(onProgress: OnProgress, what: string): (bytes: number) => void {
  return (bytes) => onProgress(`${what}: ${Math.floor(bytes / MIB)} MiB`);
}

function digestOf(manifest: Buffer): string {
  return `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
}
