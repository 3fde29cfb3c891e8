import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errnoOf, silentLogger, tryLock } from "@virga/vm";
import type { HeldLock, Logger } from "@virga/vm";
import { namesIn } from "../names-in.ts";
import { publishFile, removePartial, syncPath } from "../setup/publish.ts";
import { isImageDigest, isImageName } from "./image-name.ts";
import { imagePaths, tagPath, tagsDirectory } from "./image-paths.ts";
import { readImageRecord } from "./image-record.ts";
import type { ImageRecord } from "./image-record.ts";
import { waitForLock } from "./wait-for-lock.ts";

/** Fewer digits of a digest would be easily mistaken. */
const MIN_PREFIX = 6;

/** An image of the store. */
export interface StoredImage {
  readonly record: ImageRecord;
  /** Path of the base file. */
  readonly base: string;
}

/** An image with the tags that point to it. */
export interface ImageListing extends StoredImage {
  readonly names: readonly string[];
}

/** How to get an image that may not be there yet. */
export interface EnsureImageOptions {
  /** The tag that points to it afterwards; one of this name is moved. */
  readonly name: string;
  /** Writes the base file at this path and gives the record. When it rejects, nothing is left of it. */
  readonly build: (base: string) => Promise<ImageRecord>;
  /** Called once when another process is making it. */
  readonly onWait?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What removing did. */
export interface RemovedImage {
  readonly digest: string;
  /** Tags that are gone. */
  readonly names: readonly string[];
  /** Whether the image itself is gone: other tags may still point to it. */
  readonly removed: boolean;
}

/**
 * Images on disk, one directory per digest, shared by all processes; tags are files that point to them. An image appears whole or not at all: it is made in a
 * directory of another name, under a lock of its own, and renamed. Whoever uses one holds that lock shared; the kernel releases it when its holder dies.
 */
export class ImageStore {
  readonly #root: string;
  readonly #logger: Logger;
  readonly #checkRemoval: (digest: string, names: readonly string[]) => void;

  /** `directory` need not exist before something is put into it. `checkRemoval` throws when an image that no process uses now must stay all the same. */
  constructor(options: {
    readonly directory: string;
    readonly logger?: Logger;
    readonly checkRemoval?: (digest: string, names: readonly string[]) => void;
  }) {
    this.#root = options.directory;
    this.#checkRemoval = options.checkRemoval ?? (() => undefined);
    this.#logger = options.logger ?? silentLogger;
  }

  /** Finds an image by tag, digest, or the beginning of a digest's digits. `INVALID_ARGUMENT` when several begin so. */
  async find(name: string): Promise<StoredImage | undefined> {
    const digest = await this.#resolve(name);
    return digest === undefined ? undefined : this.#read(digest);
  }

  /** The digest of an image that is there and cannot be used: another version of Virga stored it, or something damaged it. */
  async unusable(name: string): Promise<string | undefined> {
    const digest = await this.#resolve(name);
    if (digest === undefined || (await this.#read(digest)) !== undefined) return undefined;
    const found = await stat(imagePaths(this.#root, digest).directory).catch(() => undefined);
    return found?.isDirectory() === true ? digest : undefined;
  }

  /** Keeps an image from being removed until it is released. Undefined when it is not there, or being removed. */
  async use(digest: string): Promise<HeldLock | undefined> {
    const lock = tryLock(imagePaths(this.#root, digest).lock, "shared");
    if (lock === undefined) return undefined;
    if ((await this.#read(digest)) !== undefined) return lock;
    lock.release();
    return undefined;
  }

  /** Gives the image, made first if it is not there: by one process, however many ask at once. Rejects with what `build` rejects with, and `ABORTED`. */
  async ensure(
    digest: string,
    options: EnsureImageOptions,
  ): Promise<StoredImage & { readonly built: boolean }> {
    const { name, onWait, signal } = options;
    await mkdir(tagsDirectory(this.#root), { recursive: true, mode: 0o700 });
    const paths = imagePaths(this.#root, digest);
    const used = await this.use(digest);
    const lock =
      used ?? (await waitForLock(paths.lock, { what: `image ${digest}`, signal, onWait }));
    try {
      const found = await this.#read(digest);
      if (found === undefined) await this.#make(digest, options);
      const made = found ?? (await this.#read(digest));
      if (made === undefined) throw new Error(`image ${digest} was made and is not there`);
      await this.#writeTag(name, digest);
      return { ...made, built: found === undefined };
    } finally {
      lock.release();
    }
  }

  /** All images with their tags, and those whose tag is gone; the newest first. */
  async list(): Promise<ImageListing[]> {
    const tags = await this.#tags();
    const images = [];
    for (const digest of await this.#digests()) {
      const image = await this.#read(digest);
      if (image === undefined) continue;
      const names = tags.filter((tag) => tag.digest === digest).map((tag) => tag.name);
      images.push({ ...image, names });
    }
    return images.toSorted((a, b) => b.record.createdAt.localeCompare(a.record.createdAt));
  }

  /**
   * Removes a tag, and the image when no other tag points to it; by its digest, an image with all tags. `NOT_FOUND`, and `IN_USE` while a process builds or uses it,
   * or what `checkRemoval` throws: then nothing is removed.
   */
  async remove(name: string): Promise<RemovedImage> {
    for (;;) {
      const digest = (await this.find(name))?.record.digest ?? (await this.unusable(name));
      if (digest === undefined) {
        throw new VirgaError("NOT_FOUND", `There is no image "${name}"`, {
          details: { image: name },
          hint: "See: virga image ls",
        });
      }
      const removed = await this.#removeAs(name, digest);
      if (removed !== "moved") return removed;
    }
  }

  /** `moved`: the name has come to stand for another image. */
  async #removeAs(name: string, digest: string): Promise<RemovedImage | "moved"> {
    const lock = tryLock(imagePaths(this.#root, digest).lock);
    if (lock === undefined) {
      throw new VirgaError("IN_USE", `Cannot remove image "${name}": a sandbox uses it`, {
        details: { image: name, digest },
        hint: "Destroy the sandboxes that were made of it first.",
      });
    }
    try {
      const tags = await this.#lockTags();
      let names: string[];
      let removed: boolean;
      try {
        if ((await this.#resolve(name)) !== digest) return "moved";
        const all = (await this.#tags()).filter((tag) => tag.digest === digest);
        const byTag = all.filter((tag) => tag.name === name);
        names = (byTag.length > 0 ? byTag : all).map((tag) => tag.name);
        removed = names.length === all.length;
        // Under the image's lock: whoever wants to need it from now on has to wait.
        if (removed) this.#checkRemoval(digest, names);
        for (const tag of names) await rm(tagPath(this.#root, tag), { force: true });
      } finally {
        tags.release();
      }
      // A tag that points to it can only come under its own lock.
      if (removed) await this.#drop(digest);
      return { digest, names, removed };
    } finally {
      lock.release();
    }
  }

  /** Removes what killed processes left half made or half removed. */
  async sweep(): Promise<void> {
    for (const name of await listNames(this.#root)) {
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

  /** Under the lock. */
  async #make(digest: string, options: EnsureImageOptions): Promise<void> {
    const paths = imagePaths(this.#root, digest);
    const work = imagePaths(this.#root, digest, "building");
    await rm(work.directory, { recursive: true, force: true });
    try {
      await mkdir(work.directory, { mode: 0o700 });
      const record = await options.build(work.base);
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

  /** Under the lock; in one step, so that nobody finds half an image. */
  async #drop(digest: string): Promise<void> {
    const dropping = imagePaths(this.#root, digest, "dropping").directory;
    await rm(dropping, { recursive: true, force: true });
    await rename(imagePaths(this.#root, digest).directory, dropping);
    await rm(dropping, { recursive: true, force: true });
    this.#logger.info({ image: digest }, "image removed");
  }

  async #read(digest: string): Promise<StoredImage | undefined> {
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

  async #readTag(name: string): Promise<string | undefined> {
    try {
      const digest = (await readFile(tagPath(this.#root, name), "utf8")).trim();
      return isImageDigest(digest) ? digest : undefined;
    } catch (error) {
      if (["ENOENT", "ENAMETOOLONG"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }

  #lockTags(): Promise<HeldLock> {
    return waitForLock(join(this.#root, "tags.lock"), { what: "the tags of images" });
  }

  /** The digest that a name stands for. */
  async #resolve(name: string): Promise<string | undefined> {
    return (await this.#readTag(name)) ?? this.#digestOf(name);
  }

  /** One process at a time, which also removes what a killed one left. */
  async #writeTag(name: string, digest: string): Promise<void> {
    const lock = await this.#lockTags();
    try {
      await removePartial(tagsDirectory(this.#root));
      await publishFile(tagPath(this.#root, name), (work) => writeFile(work, `${digest}\n`));
    } finally {
      lock.release();
    }
  }

  async #tags(): Promise<{ readonly name: string; readonly digest: string }[]> {
    const tags = [];
    for (const file of await listNames(tagsDirectory(this.#root))) {
      const name = nameOfTag(file);
      // What an interrupted write left, or somebody else's.
      if (name === undefined) continue;
      const digest = await this.#readTag(name);
      if (digest !== undefined) tags.push({ name, digest });
    }
    return tags;
  }

  async #digests(): Promise<string[]> {
    const names = await listNames(this.#root);
    return names.filter((name) => /^[0-9a-f]{64}$/u.test(name)).map((hex) => `sha256:${hex}`);
  }

  async #digestOf(text: string): Promise<string | undefined> {
    if (isImageDigest(text)) return text;
    const prefix = text.replace(/^sha256:/u, "");
    if (prefix.length < MIN_PREFIX || !/^[0-9a-f]+$/u.test(prefix)) return undefined;
    const found = (await this.#digests()).filter((digest) => digest.startsWith(`sha256:${prefix}`));
    if (found.length <= 1) return found[0];
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `"${text}" stands for several images: ${found.join(", ")}`,
      { details: { image: text, digests: found } },
    );
  }
}

function nameOfTag(file: string): string | undefined {
  try {
    const name = decodeURIComponent(file);
    return isImageName(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

async function listNames(directory: string): Promise<string[]> {
  return (await namesIn(directory)).toSorted();
}
