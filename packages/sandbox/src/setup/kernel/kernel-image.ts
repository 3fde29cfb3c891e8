import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { runTool } from "../run-tool.ts";
import { LZ4_LEGACY_MAGIC, unpackLz4Legacy } from "./lz4-legacy.ts";

const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const MAX_KERNEL_BYTES = 512 << 20;

type Unpack = (payload: Buffer, signal: AbortSignal | undefined) => Promise<Buffer>;

interface Compression {
  readonly magic: Buffer;
  /** The kernel's build appends the unpacked size (4 bytes) where the format itself does not end with it. */
  readonly sizeAppended: boolean;
  readonly unpack: Unpack;
}

const options = { maxOutputLength: MAX_KERNEL_BYTES };
const compressions: readonly Compression[] = [
  {
    magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
    sizeAppended: true,
    unpack: (payload) => promisify(zstdDecompress)(payload, options),
  },
  {
    magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]),
    sizeAppended: true,
    unpack: (payload, signal) =>
      runTool("xz", ["-dc"], {
        what: "unpack the kernel",
        input: payload,
        maxOutputBytes: MAX_KERNEL_BYTES,
        signal,
      }),
  },
  {
    magic: LZ4_LEGACY_MAGIC,
    sizeAppended: true,
    unpack: async (payload) => unpackLz4Legacy(payload, MAX_KERNEL_BYTES),
  },
  {
    magic: Buffer.from([0x1f, 0x8b]),
    sizeAppended: false,
    unpack: (payload) => promisify(gunzip)(payload, options),
  },
];

/**
 * Gives the uncompressed ELF kernel inside a bzImage, or the image itself when it is ELF already. A VM boots it faster, because it need not
 * unpack it itself. `undefined` for images that do not tell where their payload is or that are compressed in another way than gzip, lz4, xz or
 * zstd: such a kernel boots as it is.
 */
export async function extractVmlinux(
  image: Buffer,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  if (startsWith(image, ELF_MAGIC)) return image;
  const payload = payloadOf(image);
  const compression = compressions.find(({ magic }) => payload && startsWith(payload, magic));
  if (payload === undefined || compression === undefined) return undefined;
  const packed = compression.sizeAppended ? payload.subarray(0, -4) : payload;
  const kernel = await compression.unpack(packed, signal);
  if (!startsWith(kernel, ELF_MAGIC)) return undefined;
  return kernel.length === payload.readUInt32LE(payload.length - 4) ? kernel : undefined;
}

// Documentation/arch/x86/boot.rst: payload_offset and payload_length exist since protocol 2.08.
function payloadOf(image: Buffer): Buffer | undefined {
  if (image.length < 0x250 || image.toString("latin1", 0x202, 0x206) !== "HdrS") return undefined;
  if (image.readUInt16LE(0x206) < 0x208) return undefined;
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const length = image.readUInt32LE(0x24c);
  if (length < 8 || start + length > image.length) return undefined;
  return image.subarray(start, start + length);
}

function startsWith(buffer: Buffer, magic: Buffer): boolean {
  return buffer.subarray(0, magic.length).equals(magic);
}
