import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { VirgaError } from "@virga/vm";
import type { Logger } from "@virga/vm";
import type { OnProgress } from "../progress.ts";
import { BUILT_IN_NAMES } from "./own-images.ts";
import { checkImageName } from "./image-name.ts";
import { IMAGE_FORMAT } from "./image-record.ts";
import type { ImageSettings } from "./image-record.ts";
import { openImageSource } from "./image-source.ts";
import type { ImageSource } from "./image-source.ts";
import { ImageStore } from "./image-store.ts";
import type { StoredImage } from "./image-directories.ts";
import { hashStream, packBase } from "./pack-base.ts";

const MIB = 2 ** 20;

/** What image to build. */
export interface BuildImageOptions {
  /** The store's directory. */
  readonly directory: string;
  /** The tag that points to it afterwards. */
  readonly name: string;
  /** A directory, or a tar file that may be compressed by gzip, xz or zstd. */
  readonly from: string;
  /** What to say where it came from. Default: the path. */
  readonly source?: string;
  /** Default: root, `/`, no variables, no command. */
  readonly settings?: Partial<ImageSettings>;
  readonly onProgress?: OnProgress;
  readonly logger?: Logger;
  readonly signal?: AbortSignal | undefined;
}

/** An image and how it came to be there. */
export interface BuiltImage extends StoredImage {
  /** Whether this call made it: the same content with the same settings is never packed twice. */
  readonly built: boolean;
}

/**
 * Makes an image of a directory or a tar file, without root. What is read is hashed first: the same content and settings give the same digest, and are
 * packed once, however many processes ask. Needs the programs of the tool set `images`.
 * `INVALID_ARGUMENT`, `NOT_FOUND`, `IO_ERROR` for a source that cannot be read; a failure leaves nothing.
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImage> {
  const { directory, name, signal, logger } = options;
  checkImageName(name, BUILT_IN_NAMES);
  const settings = checkedSettings(options.settings ?? {});
  const source = await openImageSource(options.from);
  const onProgress = options.onProgress ?? (() => undefined);
  const told = (what: string) => (bytes: number) =>
    onProgress(`${what}: ${Math.floor(bytes / MIB)} MiB`);
  const store = new ImageStore({ directory, ...(logger && { logger }) });
  await store.sweep();
  const content = await hashStream(source.read(signal), { signal, onBytes: told("Reading") });
  const digest = digestOf(content, settings);
  return store.ensure(digest, {
    name,
    signal,
    onWait: () => onProgress("Waiting for another process that builds this image"),
    build: async (base) => {
      const packed = await packBase(source.read(signal), base, {
        signal,
        onBytes: told("Packing"),
      });
      if (packed.streamSha256 !== content) throw changed(source);
      return {
        format: IMAGE_FORMAT,
        digest,
        createdAt: new Date().toISOString(),
        source: options.source ?? source.description,
        ...settings,
        base: { bytes: (await stat(base)).size, sha256: packed.sha256 },
      };
    },
  });
}

function digestOf(content: string, settings: ImageSettings): string {
  const { user, workdir, environment, command } = settings;
  const variables = Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts = JSON.stringify([content, user, workdir, variables, command]);
  return `sha256:${createHash("sha256").update(parts).digest("hex")}`;
}

function checkedSettings(given: Partial<ImageSettings>): ImageSettings {
  const { user = "", workdir = "/", environment = {}, command = [] } = given;
  const problems: string[] = [];
  if (!workdir.startsWith("/")) problems.push(`workdir is "${workdir}": it is an absolute path`);
  for (const variable of Object.keys(environment)) {
    if (variable === "" || variable.includes("=")) {
      problems.push(`"${variable}" is not the name of a variable`);
    }
  }
  const texts = [user, workdir, ...Object.entries(environment).flat(), ...command];
  if (texts.some((text) => text.includes("\0"))) problems.push("a value has a NUL byte in it");
  if (problems.length === 0) return { user, workdir, environment, command };
  throw new VirgaError("INVALID_ARGUMENT", `Cannot build the image: ${problems.join("; ")}`, {
    details: { problems },
  });
}

function changed({ description }: ImageSource): VirgaError {
  return new VirgaError(
    "IO_ERROR",
    `Cannot build an image from ${description}: it changed while it was read`,
    { hint: "Build it again when nothing writes there." },
  );
}
