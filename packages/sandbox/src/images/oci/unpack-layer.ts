import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { Transform } from "node:stream";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { VirgaError, abortedError, errorText } from "@virga/vm";
import type { OnBytes } from "../pack-base.ts";
import type { LayerBlob } from "./read-layout.ts";

/** An image whose layers say more than this is no image but fills the disk. */
const MAX_IMAGE_BYTES = 64 * 2 ** 30;

/** How to unpack a layer. */
export interface UnpackLayerOptions {
  /** How much the image's other layers have taken. Default: 0. */
  readonly usedBytes?: number;
  readonly onBytes?: OnBytes;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks a layer into the file `target`, plain, gzip or zstd, checks it against its digests, packed and unpacked, and gives how many bytes it takes. `IO_ERROR`
 * when it is another one, or the image becomes too large; then there is no file.
 */
export async function unpackLayer(
  blob: LayerBlob,
  target: string,
  options: UnpackLayerOptions = {},
): Promise<number> {
  const { signal, onBytes, usedBytes = 0 } = options;
  const packed = new Hashed();
  const unpacked = new Hashed((bytes) => {
    if (usedBytes + bytes > MAX_IMAGE_BYTES) throw tooLarge();
    onBytes?.(bytes);
  });
  const decompress = await decompressorOf(blob.path);
  try {
    await pipeline(
      [
        createReadStream(blob.path),
        packed,
        ...(decompress === undefined ? [] : [decompress]),
        unpacked,
        createWriteStream(target, { mode: 0o600 }),
      ],
      { signal },
    );
    for (const [found, wanted] of [
      [packed.digest(), blob.digest],
      [unpacked.digest(), blob.diffId],
    ] as const) {
      if (found !== wanted) throw damaged(`${wanted} is ${found}`);
    }
    return unpacked.bytes;
  } catch (cause) {
    await rm(target, { force: true });
    if (signal?.aborted === true) throw abortedError("unpacking a layer", signal);
    throw cause instanceof VirgaError ? cause : damaged(errorText(cause), cause);
  }
}

/** Lets bytes through and counts and hashes them. */
class Hashed extends Transform {
  readonly #hash = createHash("sha256");
  readonly #onBytes: OnBytes | undefined;
  bytes = 0;

  constructor(onBytes?: OnBytes) {
    super();
    this.#onBytes = onBytes;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    try {
      this.#onBytes?.(this.bytes);
      done(null, chunk);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  digest(): string {
    return `sha256:${this.#hash.digest("hex")}`;
  }
}

async function decompressorOf(path: string): Promise<Duplex | undefined> {
  const file = await open(path).catch((cause: unknown) => {
    throw damaged(errorText(cause), cause);
  });
  try {
    const start = Buffer.alloc(4);
    await file.read(start, 0, start.length, 0);
    if (start.readUInt16BE(0) === 0x1f8b) return createGunzip();
    return start.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress() : undefined;
  } finally {
    await file.close();
  }
}

function tooLarge(): VirgaError {
  const message = `The image is too large: unpacked its layers are more than ${MAX_IMAGE_BYTES} bytes`;
  return new VirgaError("IO_ERROR", message);
}

function damaged(what: string, cause?: unknown): VirgaError {
  return new VirgaError("IO_ERROR", `A layer is damaged: ${what}`, { cause });
}
