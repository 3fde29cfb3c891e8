import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@virga/vm";
import type { OnProgress } from "../progress.ts";
import { makePartial, removePartial } from "../setup/publish.ts";
import { runTool } from "../setup/run-tool.ts";
import { buildImage } from "./build-image.ts";
import { DEBIAN_SETTINGS, debianArguments } from "./debian-recipe.ts";
import { DEBIAN } from "./own-images.ts";
import { ImageStore } from "./image-store.ts";
import { waitForLock } from "./wait-for-lock.ts";

const TIMEOUT_MS = 60 * 60_000;

/** Where to make it, and whom to tell. */
export interface MakeDebianOptions {
  /** The store's directory; it exists. */
  readonly directory: string;
  /** Where packages come from. Default: Debian's own servers. */
  readonly mirror?: string | undefined;
  readonly onProgress?: OnProgress;
  readonly logger?: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the image `debian` of Debian's packages, without root where the machine lets users have namespaces of their own, unless there is an image of this name. One
 * process does it, however many ask at once. Needs the programs of the tool sets `images` and `debian`. `SETUP_FAILED` with mmdebstrap's words; nothing is left.
 */
export async function makeDebian(options: MakeDebianOptions): Promise<void> {
  const { directory, mirror, signal, logger, onProgress = () => undefined } = options;
  const store = new ImageStore({ directory });
  if ((await store.find(DEBIAN)) !== undefined) return;
  const lock = await waitForLock(join(directory, "debian.lock"), {
    what: "the image debian",
    signal,
    onWait: () => onProgress("Waiting for another process that makes the image debian"),
  });
  try {
    if ((await store.find(DEBIAN)) !== undefined) return;
    const work = join(directory, ".debian");
    await removePartial(work);
    const place = await makePartial(work);
    try {
      const from = join(place, "root.tar");
      onProgress("Making the image debian (once)");
      const [program, ...args] = await aloneInNamespaces([
        "mmdebstrap",
        ...debianArguments(from, mirror),
      ]);
      await runTool(program, args, {
        what: "make the image debian",
        env: { TMPDIR: place, LC_ALL: "C.UTF-8" },
        timeoutMs: TIMEOUT_MS,
        signal,
        onLine: (line) => {
          const step = /^I: (.+)/u.exec(line)?.[1];
          if (step !== undefined) onProgress(`Making the image debian (once): ${step}`);
        },
      });
      await buildImage({
        directory,
        name: DEBIAN,
        from,
        source: "packages of Debian 12",
        settings: DEBIAN_SETTINGS,
        onProgress,
        signal,
        ...(logger && { logger }),
      });
    } finally {
      await rm(place, { recursive: true, force: true, maxRetries: 3 });
    }
  } finally {
    lock.release();
  }
}

/**
 * As root mmdebstrap mounts `/proc` and `/sys` into the tree it makes. In namespaces of its own these mounts, and all its processes, end with it, however it ends: what
 * removes the tree must never meet them. A root who may not have namespaces cannot mount either, and other users get their own from mmdebstrap.
 */
async function aloneInNamespaces(
  command: readonly [string, ...string[]],
): Promise<readonly [string, ...string[]]> {
  if (process.geteuid?.() !== 0) return command;
  const alone = ["--mount-proc", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  const isAllowed = await runTool("unshare", [...alone, "true"], { what: "try namespaces" }).then(
    () => true,
    () => false,
  );
  return isAllowed ? ["unshare", ...alone, "--", ...command] : command;
}
