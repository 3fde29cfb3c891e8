import type { Logger } from "@virga/vm";
import { openHome } from "../home.ts";
import type { Home } from "../home.ts";
import type { OnProgress } from "../progress.ts";
import type { SetupEvent } from "../setup/setup-options.ts";
import { findImage, isStored } from "./image.ts";
import { DEBIAN } from "./own-images.ts";
import type { Image } from "./image.ts";

/** Whose images, and whom to tell. */
export interface EnsureImageOptions {
  readonly home: Home;
  readonly logger?: Logger;
  readonly onProgress?: OnProgress;
  /** Told of the set-up of this machine, where a program was missing. */
  readonly onSetup?: (event: SetupEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Finds an image as `findImage` does; `debian` is made where there is none. What that takes is loaded then only. */
export async function ensureImage(name: string, options: EnsureImageOptions): Promise<Image> {
  const { home, logger, onProgress, onSetup, signal } = options;
  if (name === DEBIAN && !(await isStored(name, home.images))) {
    await openHome(home);
    const { ensureTools } = await import("../setup/setup.ts");
    const tools = ["images", "debian"] as const;
    await ensureTools({ tools, home, signal, ...(onSetup && { onEvent: onSetup }) });
    const { makeDebian } = await import("./make-debian.ts");
    await makeDebian({
      directory: home.images,
      mirror: process.env["VIRGA_DEBIAN_MIRROR"],
      signal,
      ...(onProgress && { onProgress }),
      ...(logger && { logger }),
    });
  }
  return findImage(name, home.images);
}
