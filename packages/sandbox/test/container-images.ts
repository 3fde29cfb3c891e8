import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { tarEnd, tarPadding } from "@virga/guest";
import type { TarAttributes, TarType } from "../src/images/layers/tar-entry.ts";
import { tarHeader } from "../src/images/layers/write-tar.ts";

/** An entry of a crafted layer; what is not said is as of a plain file of root's. */
export interface CraftedEntry extends Partial<Omit<TarAttributes, "type">> {
  readonly path: string;
  readonly type?: TarType;
  readonly content?: string;
}

/** A layer of these entries, in this order. */
export function craftLayer(entries: readonly CraftedEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const { path, type = "file", content = "", ...given } of entries) {
    const mode = type === "directory" ? 0o755 : 0o644;
    const none = { mode, uid: 0, gid: 0, mtime: 0, target: "", major: 0, minor: 0 };
    const bytes = Buffer.from(content, "latin1");
    parts.push(tarHeader(path, { ...none, xattrs: new Map(), type, ...given }, bytes.length));
    parts.push(bytes, Buffer.alloc(tarPadding(bytes.length)));
  }
  return Buffer.concat([...parts, tarEnd]);
}

/** How to store an image as an OCI layout. */
export interface CraftedImage {
  readonly layers: readonly Buffer[];
  /** The part `config` of its configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly compression?: "gzip" | "zstd";
}

/** The blobs of a layout. */
export interface CraftedLayout {
  readonly manifestDigest: string;
  readonly layerPaths: readonly string[];
}

/** Writes an OCI layout, as other programs make them. */
export async function craftLayout(directory: string, image: CraftedImage): Promise<CraftedLayout> {
  const blobs = join(directory, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer, mediaType: string) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const { layers, compression = "gzip", config = {} } = image;
  const kind = "application/vnd.oci.image";
  const compress = compression === "gzip" ? gzipSync : zstdCompressSync;
  const stored = [];
  for (const layer of layers) {
    stored.push(await put(compress(layer), `${kind}.layer.v1.tar+${compression}`));
  }
  const description = {
    architecture: "amd64",
    os: "linux",
    config,
    rootfs: {
      type: "layers",
      diff_ids: layers.map((bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`),
    },
  };
  const manifest = await put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: `${kind}.manifest.v1+json`,
        config: await put(Buffer.from(JSON.stringify(description)), `${kind}.config.v1+json`),
        layers: stored,
      }),
    ),
    `${kind}.manifest.v1+json`,
  );
  await writeFile(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
  );
  return {
    manifestDigest: manifest.digest,
    layerPaths: stored.map(({ digest }) => join(blobs, digest.slice(7))),
  };
}
