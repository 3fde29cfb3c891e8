import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errorText } from "@virga/vm";
import type { ImageSettings } from "../image-record.ts";

const MAX_JSON_BYTES = 4 * 2 ** 20;
const MAX_LAYERS = 1000;

/** A layer as it was stored. */
export interface LayerBlob {
  readonly path: string;
  readonly digest: string;
  /** Of the layer when it is uncompressed. */
  readonly diffId: string;
}

/** An image as an OCI layout describes it. */
export interface LayoutImage {
  readonly settings: ImageSettings;
  /** The lowest first. */
  readonly layers: readonly LayerBlob[];
}

/** Reads the one image of an OCI layout. Documents are checked against their digests; layers are for the reader to check. `IO_ERROR` for what is not as it must be. */
export async function readLayout(directory: string): Promise<LayoutImage> {
  const index = await readJson(join(directory, "index.json"));
  const [entry, ...others] = listOf(index, "manifests");
  if (entry === undefined || others.length > 0) throw damaged("it does not hold exactly one image");
  const manifest = await readBlob(directory, digestOf(entry));
  const config = await readBlob(directory, digestOf(manifest["config"]));
  const blobs = listOf(manifest, "layers");
  const diffIds = listOf(config["rootfs"], "diff_ids");
  if (blobs.length !== diffIds.length || blobs.length > MAX_LAYERS) {
    throw damaged(`it has ${blobs.length} layers and describes ${diffIds.length}`);
  }
  return {
    settings: settingsOf(asObject(config["config"] ?? {})),
    layers: blobs.map((blob, index_) => {
      const digest = digestOf(blob);
      const diffId = diffIds[index_];
      if (!isDigest(diffId)) throw damaged("the digest of a layer is none");
      return { path: blobPath(directory, digest), digest, diffId };
    }),
  };
}

function settingsOf(config: Readonly<Record<string, unknown>>): ImageSettings {
  const { User = "", WorkingDir = "" } = config;
  if (typeof User !== "string" || typeof WorkingDir !== "string") {
    throw damaged("its user or directory is not a text");
  }
  const environment: Record<string, string> = {};
  for (const variable of texts(config["Env"])) {
    const equals = variable.indexOf("=");
    if (equals > 0) environment[variable.slice(0, equals)] = variable.slice(equals + 1);
  }
  const workdir = WorkingDir.startsWith("/") ? WorkingDir : `/${WorkingDir}`;
  const command = [...texts(config["Entrypoint"]), ...texts(config["Cmd"])];
  const all = [User, workdir, ...command, ...Object.entries(environment).flat()];
  if (all.some((text) => text.includes("\0"))) throw damaged("a setting has a NUL byte in it");
  return { user: User, workdir, environment, command };
}

async function readBlob(
  directory: string,
  digest: string,
): Promise<Readonly<Record<string, unknown>>> {
  return readJson(blobPath(directory, digest), digest);
}

async function readJson(path: string, digest?: string): Promise<Readonly<Record<string, unknown>>> {
  let bytes: Buffer;
  try {
    if ((await stat(path)).size > MAX_JSON_BYTES) throw damaged(`${path} is too large`);
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof VirgaError) throw cause;
    throw damaged(errorText(cause), cause);
  }
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (digest !== undefined && found !== digest) throw damaged(`${path} is not ${digest}`);
  try {
    return asObject(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    if (cause instanceof VirgaError) throw cause;
    throw damaged(`${path} is no JSON`, cause);
  }
}

function blobPath(directory: string, digest: string): string {
  return join(directory, "blobs", "sha256", digest.slice("sha256:".length));
}

function digestOf(value: unknown): string {
  const { digest } = asObject(value);
  if (!isDigest(digest)) throw damaged("a digest is none");
  return digest;
}

function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^sha256:[0-9a-f]{64}$/u.test(value);
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw damaged("something is not an object");
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = asObject(value)[key];
  if (!Array.isArray(list)) throw damaged(`${key} is not a list`);
  return list;
}

function texts(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw damaged("a setting is not a list of texts");
}

function damaged(what: string, cause?: unknown): VirgaError {
  return new VirgaError("IO_ERROR", `The image is damaged: ${what}`, { cause });
}
