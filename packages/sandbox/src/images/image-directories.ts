import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { silentLogger, tryLock } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { namesIn } from "../names-in.ts";
import { syncPath } from "../setup/publish.ts";
import { imagePaths } from "./image-paths.ts";
import { readImageRecord } from "./image-record.ts";
import type { ImageRecord } from "./image-record.ts";

/** An image of the store. */
export interface StoredImage {
  readonly record: ImageRecord;
  /** Path of the base file. */
  readonly base: string;
}

/**
 * The directories of images, one per digest. Each comes and goes by a rename, so that nobody finds half an image; whoever makes or drops one holds the lock of
 * its digest.
 */
export class ImageDirectories {
  readonly #root: string;
  readonly #logger: Logger;

  constructor(root: string, logger: Logger = silentLogger) {
    this.#root = root;
    this.#logger = logger;
  }

  /** The image, unless it is missing or damaged. */
  async read(digest: string): Promise<StoredImage | undefined> {
    const paths = imagePaths(this.#root, digest);
    const record = await readImageRecord(paths.record);
    if (record?.digest !== digest) return undefined;
    // A base of another size was damaged: the image is made anew.
    const size = await stat(paths.base).then(
      (stats) => stats.size,
      () => undefined,
    );
    return size === record.base.bytes ? { record, base: paths.base } : undefined;
  }

  /** Whether there is a directory for it, damaged or not. */
  async has(digest: string): Promise<boolean> {
    const found = await stat(imagePaths(this.#root, digest).directory).catch(() => undefined);
    return found?.isDirectory() === true;
  }

  /** The digests that have a directory. */
  async digests(): Promise<string[]> {
    const names = (await namesIn(this.#root)).toSorted();
    return names.filter((name) => /^[0-9a-f]{64}$/u.test(name)).map((hex) => `sha256:${hex}`);
  }

  /** Makes one, under its lock. `build` writes the base file and gives the record; when it rejects, nothing is left. */
  async make(digest: string, build: (base: string) => Promise<ImageRecord>): Promise<void> {
    const paths = imagePaths(this.#root, digest);
    const work = imagePaths(this.#root, digest, "building");
    await rm(work.directory, { recursive: true, force: true });
    try {
      await mkdir(work.directory, { mode: 0o700 });
      const record = await build(work.base);
      // Flushed before the rename: after a power cut the name must not stand for an empty file.
      await syncPath(work.base);
      await writeFile(work.record, `${JSON.stringify(record, undefined, 2)}\n`, { flush: true });
      // A directory without a good record is one that something else damaged, or an older version made.
      await rm(paths.directory, { recursive: true, force: true });
      await rename(work.directory, paths.directory);
    } catch (error) {
      await rm(work.directory, { recursive: true, force: true });
      throw error;
    }
    this.#logger.info({ image: digest }, "image made");
  }

  /** Removes one, under its lock. */
  async drop(digest: string): Promise<void> {
    const dropping = imagePaths(this.#root, digest, "dropping").directory;
    await rm(dropping, { recursive: true, force: true });
    await rename(imagePaths(this.#root, digest).directory, dropping);
    await rm(dropping, { recursive: true, force: true });
    this.#logger.info({ image: digest }, "image removed");
  }

  /** Removes what killed processes left half made or half removed. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.#root)) {
      const hex = /^\.(?:building|dropping)-([0-9a-f]{64})$/u.exec(name)?.[1];
      if (hex === undefined) continue;
      const lock = tryLock(imagePaths(this.#root, `sha256:${hex}`).lock);
      if (lock === undefined) continue;
      try {
        await rm(join(this.#root, name), { recursive: true, force: true });
      } finally {
        lock.release();
      }
    }
  }
}
