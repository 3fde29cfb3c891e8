import { existsSync } from "node:fs";
import type { Logger } from "@virga/vm";
import { Catalog } from "../catalog/catalog.ts";
import { homePaths, openHome } from "../home.ts";
import type { Home } from "../home.ts";
import type { OnProgress } from "../progress.ts";
import { recoverHome } from "../recover-home.ts";
import type { SetupEvent, ToolSet } from "../setup/setup-options.ts";
import { ensureTools } from "../setup/setup.ts";
import { inUseError, whoNeedsImage } from "../snapshots/references.ts";
import type { BuildImageOptions, BuiltImage } from "./build-image.ts";
import type { PullImageOptions } from "./pull-image.ts";
import type { ImageListing, ImageStore, RemovedImage } from "./image-store.ts";
import { noImageError } from "./no-image.ts";

/** Whose images, and whom to tell. */
export interface ImagesOptions {
  /** Default: where the environment and the user put it. */
  readonly home?: Home;
  readonly logger?: Logger;
  /** Told of work that takes long. */
  readonly onProgress?: OnProgress;
  /** Told of the set-up of this machine, where a program was missing. */
  readonly onSetup?: (event: SetupEvent) => void;
  readonly signal?: AbortSignal;
}

/** The images of a state directory, beside those that are built in. Holds nothing open. */
export class Images {
  readonly #home: Home;
  readonly #options: ImagesOptions;
  #recovered: Promise<unknown> | undefined;

  constructor(options: ImagesOptions = {}) {
    this.#home = options.home ?? homePaths();
    this.#options = options;
  }

  /**
   * Makes an image of a directory or a tar file, without root; the same content with the same settings once only.
   * `INVALID_ARGUMENT`, `NOT_FOUND` and `IO_ERROR` for what cannot be read, `SETUP_NEEDED` where a program is missing. A failure leaves nothing.
   */
  async build(image: Pick<BuildImageOptions, "name" | "from" | "settings">): Promise<BuiltImage> {
    const how = await this.#prepare(["images"]);
    const { buildImage } = await import("./build-image.ts");
    return buildImage({ ...image, ...how });
  }

  /**
   * Pulls a container image from a registry or a file, without root; one that is there already is not pulled again. What an interrupted pull has fetched serves
   * the next one. `INVALID_ARGUMENT` for what is no reference, `IO_ERROR` for one that cannot be had, `SETUP_NEEDED` where a program is missing.
   */
  async pull(image: Pick<PullImageOptions, "reference" | "name">): Promise<BuiltImage> {
    const how = await this.#prepare(["images", "pull"]);
    const { pullImage } = await import("./pull-image.ts");
    return pullImage({ ...image, ...how });
  }

  /** All images, the newest first. */
  async list(): Promise<ImageListing[]> {
    return (await this.#store()).list();
  }

  /** The image of this name, digest, or beginning of a digest. `NOT_FOUND`. */
  async info(name: string): Promise<ImageListing> {
    const store = await this.#store();
    const digest = (await store.find(name))?.record.digest;
    const found = (await store.list()).find(({ record }) => record.digest === digest);
    if (found !== undefined) return found;
    throw noImageError(name);
  }

  /** Removes a name, and the image when it has no other; by digest, an image with all its names. `NOT_FOUND`, `IN_USE`. */
  async remove(name: string): Promise<RemovedImage> {
    const store = await this.#store();
    const removed = await store.remove(name);
    await store.sweep();
    return removed;
  }

  /** Sees to it that there is what images are made with, and gives what every making is told. */
  async #prepare(
    tools: readonly ToolSet[],
  ): Promise<Pick<BuildImageOptions, "directory" | "signal" | "onProgress" | "logger">> {
    const { logger, onProgress, onSetup, signal } = this.#options;
    const home = await openHome(this.#home);
    await this.#recover();
    await ensureTools({ tools, home, signal, ...(onSetup && { onEvent: onSetup }) });
    return {
      directory: home.images,
      signal,
      ...(onProgress && { onProgress }),
      ...(logger && { logger }),
    };
  }

  /** Before anything else: a VM that nobody waits for any more also keeps its image in use. */
  async #recover(): Promise<void> {
    this.#recovered ??= recoverHome(this.#home, this.#options.logger);
    await this.#recovered;
  }

  /** Loaded by its first use: who has no images pays nothing for them. */
  async #store(): Promise<ImageStore> {
    await this.#recover();
    const { ImageStore: Store } = await import("./image-store.ts");
    const { logger } = this.#options;
    return new Store({
      directory: this.#home.images,
      ...(logger && { logger }),
      checkRemoval: (digest) => checkUnneeded(this.#home, digest),
    });
  }
}

/** `IN_USE` when a sandbox or a snapshot needs the image, whether it runs now or not. */
function checkUnneeded(home: Home, digest: string): void {
  if (!existsSync(home.catalog)) return;
  using catalog = Catalog.open(home.catalog);
  const users = whoNeedsImage(catalog, digest);
  if (users.length > 0) throw inUseError(`image ${digest}`, users);
}
