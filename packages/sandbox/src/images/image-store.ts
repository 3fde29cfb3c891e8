import { mkdir } from "node:fs/promises";
import { VirgaError, acquireLock, tryLock } from "@virga/vm";
import type { HeldLock, Logger } from "@virga/vm";
import { ImageDirectories } from "./image-directories.ts";
import type { StoredImage } from "./image-directories.ts";
import { isImageDigest } from "./image-name.ts";
import { imagePaths, tagsDirectory } from "./image-paths.ts";
import type { ImageRecord } from "./image-record.ts";
import { ImageTags } from "./image-tags.ts";
import { waitForLock } from "./wait-for-lock.ts";
import { noImageError } from "./no-image.ts";

/** Fewer digits of a digest would be easily mistaken. */
const MIN_PREFIX = 6;

/** Whoever has an image alone sweeps up after others, or makes it: then it is not in use, only busy. */
const ALONE_MS = 10_000;

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
  readonly #tags: ImageTags;
  readonly #images: ImageDirectories;
  readonly #checkRemoval: (digest: string, names: readonly string[]) => void;

  /** `directory` need not exist before something is put into it. `checkRemoval` throws when an image that no process uses now must stay all the same. */
  constructor(options: {
    readonly directory: string;
    readonly logger?: Logger;
    readonly checkRemoval?: (digest: string, names: readonly string[]) => void;
  }) {
    this.#root = options.directory;
    this.#tags = new ImageTags(options.directory);
    this.#images = new ImageDirectories(options.directory, options.logger);
    this.#checkRemoval = options.checkRemoval ?? (() => undefined);
  }

  /** Finds an image by tag, digest, or the beginning of a digest's digits. `INVALID_ARGUMENT` when several begin so. */
  async find(name: string): Promise<StoredImage | undefined> {
    const digest = await this.#resolve(name);
    return digest === undefined ? undefined : this.#images.read(digest);
  }

  /** The digest of an image that is there and cannot be used: another version of Virga stored it, or something damaged it. */
  async unusable(name: string): Promise<string | undefined> {
    const digest = await this.#resolve(name);
    if (digest === undefined || (await this.#images.read(digest)) !== undefined) return undefined;
    return (await this.#images.has(digest)) ? digest : undefined;
  }

  /** Keeps an image from being removed until it is released. Undefined when it is not there, or being removed. */
  async use(digest: string): Promise<HeldLock | undefined> {
    const lock = tryLock(imagePaths(this.#root, digest).lock, "shared");
    if (lock === undefined) return undefined;
    if ((await this.#images.read(digest)) !== undefined) return lock;
    lock.release();
    return undefined;
  }

  /** Gives the image, made first if it is not there: by one process, however many ask at once. Rejects with what `build` rejects with, and `ABORTED`. */
  async ensure(
    digest: string,
    options: EnsureImageOptions,
  ): Promise<StoredImage & { readonly built: boolean }> {
    const { name, build, onWait, signal } = options;
    await mkdir(tagsDirectory(this.#root), { recursive: true, mode: 0o700 });
    const paths = imagePaths(this.#root, digest);
    const used = await this.use(digest);
    const lock =
      used ?? (await waitForLock(paths.lock, { what: `image ${digest}`, signal, onWait }));
    try {
      const found = await this.#images.read(digest);
      if (found === undefined) await this.#images.make(digest, build);
      const made = found ?? (await this.#images.read(digest));
      if (made === undefined) throw new Error(`image ${digest} was made and is not there`);
      await this.#tags.write({ name, digest });
      return { ...made, built: found === undefined };
    } finally {
      lock.release();
    }
  }

  /** All images with their tags, and those whose tag is gone; the newest first. */
  async list(): Promise<ImageListing[]> {
    const tags = await this.#tags.list();
    const images = [];
    for (const digest of await this.#images.digests()) {
      const image = await this.#images.read(digest);
      if (image === undefined) continue;
      const names = tags.filter((tag) => tag.digest === digest).map((tag) => tag.name);
      images.push({ ...image, names });
    }
    return images.toSorted((a, b) => b.record.createdAt.localeCompare(a.record.createdAt));
  }

  /**
   * Removes a tag, and the image when no other tag points to it; by its digest, an image with all tags. `NOT_FOUND`, `IN_USE` while a sandbox uses it, `VM_BUSY`
   * where a process builds or removes it for ten seconds, or what `checkRemoval` throws: then nothing is removed.
   */
  async remove(name: string): Promise<RemovedImage> {
    for (;;) {
      const digest = (await this.find(name))?.record.digest ?? (await this.unusable(name));
      if (digest === undefined) throw noImageError(name);
      const removed = await this.#removeAs(name, digest);
      if (removed !== "moved") return removed;
    }
  }

  /** `moved`: the name has come to stand for another image. */
  async #removeAs(name: string, digest: string): Promise<RemovedImage | "moved"> {
    const lock = await lockUnused(imagePaths(this.#root, digest).lock, `image "${name}"`);
    if (lock === undefined) {
      throw new VirgaError("IN_USE", `Cannot remove image "${name}": a sandbox uses it`, {
        details: { image: name, digest },
        hint: "Destroy the sandboxes that were made of it first.",
      });
    }
    try {
      const tags = await this.#tags.lock();
      let names: string[];
      let removed: boolean;
      try {
        if ((await this.#resolve(name)) !== digest) return "moved";
        const all = (await this.#tags.list()).filter((tag) => tag.digest === digest);
        const byTag = all.filter((tag) => tag.name === name);
        names = (byTag.length > 0 ? byTag : all).map((tag) => tag.name);
        removed = names.length === all.length;
        // Under the image's lock: whoever wants to need it from now on has to wait.
        if (removed) this.#checkRemoval(digest, names);
        for (const tag of names) await this.#tags.remove(tag);
      } finally {
        tags.release();
      }
      // A tag that points to it can only come under its own lock.
      if (removed) await this.#images.drop(digest);
      return { digest, names, removed };
    } finally {
      lock.release();
    }
  }

  /** Removes what killed processes left half made or half removed. */
  async sweep(): Promise<void> {
    await this.#images.sweep();
  }

  /** The digest that a name stands for. */
  async #resolve(name: string): Promise<string | undefined> {
    return (await this.#tags.read(name)) ?? this.#digestOf(name);
  }

  async #digestOf(text: string): Promise<string | undefined> {
    if (isImageDigest(text)) return text;
    const prefix = text.replace(/^sha256:/u, "");
    if (prefix.length < MIN_PREFIX || !/^[0-9a-f]+$/u.test(prefix)) return undefined;
    const found = (await this.#images.digests()).filter((digest) =>
      digest.startsWith(`sha256:${prefix}`),
    );
    if (found.length <= 1) return found[0];
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `"${text}" stands for several images: ${found.join(", ")}`,
      { details: { image: text, digests: found } },
    );
  }
}

/** Takes an image's lock alone; undefined where others share it, which is its use. Waits for who has it alone: `VM_BUSY` after ten seconds. */
async function lockUnused(path: string, what: string): Promise<HeldLock | undefined> {
  const lock = tryLock(path);
  if (lock !== undefined) return lock;
  const shared = tryLock(path, "shared");
  if (shared === undefined) return acquireLock(path, { timeoutMs: ALONE_MS, what });
  shared.release();
  // Who had it alone may just have let go of it.
  return tryLock(path);
}
