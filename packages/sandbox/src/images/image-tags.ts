import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@virga/vm";
import type { HeldLock } from "@virga/vm";
import { namesIn } from "../names-in.ts";
import { publishFile, removePartial } from "../setup/publish.ts";
import { isImageDigest, isImageName } from "./image-name.ts";
import { tagPath, tagsDirectory } from "./image-paths.ts";
import { waitForLock } from "./wait-for-lock.ts";

/** A name and the image it stands for. */
export interface ImageTag {
  readonly name: string;
  readonly digest: string;
}

/** The tags of images: files of their names, each with a digest in it. One process at a time changes them. */
export class ImageTags {
  readonly #root: string;

  /** `root` is the directory of the images. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The digest that a tag points to. */
  async read(name: string): Promise<string | undefined> {
    try {
      const digest = (await readFile(tagPath(this.#root, name), "utf8")).trim();
      return isImageDigest(digest) ? digest : undefined;
    } catch (error) {
      if (["ENOENT", "ENAMETOOLONG"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }

  /** All tags, in the order of their names. */
  async list(): Promise<ImageTag[]> {
    const tags = [];
    for (const file of (await namesIn(tagsDirectory(this.#root))).toSorted()) {
      const name = nameOfTag(file);
      // What an interrupted write left, or somebody else's.
      if (name === undefined) continue;
      const digest = await this.read(name);
      if (digest !== undefined) tags.push({ name, digest });
    }
    return tags;
  }

  /** Keeps all others from changing tags until it is released. */
  lock(): Promise<HeldLock> {
    return waitForLock(join(this.#root, "tags.lock"), { what: "the tags of images" });
  }

  /** Points a tag to an image, under the lock, which it takes. What a killed process left is removed with it. */
  async write({ name, digest }: ImageTag): Promise<void> {
    const lock = await this.lock();
    try {
      await removePartial(tagsDirectory(this.#root));
      await publishFile(tagPath(this.#root, name), (work) => writeFile(work, `${digest}\n`));
    } finally {
      lock.release();
    }
  }

  /** Removes a tag. Called under the lock. */
  async remove(name: string): Promise<void> {
    await rm(tagPath(this.#root, name), { force: true });
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
