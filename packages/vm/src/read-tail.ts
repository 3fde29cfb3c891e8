import { openPlainFile } from "./open-plain-file.ts";

/** The end of a file. */
export interface FileTail {
  /** Size of the whole file in bytes. */
  readonly size: number;
  /** Its last bytes, without the zeros of a hole before them. */
  readonly bytes: Buffer;
}

/**
 * Reads the last `maximum` bytes of a file that the VMM may write. Empty when there is none, or when it is no plain file.
 */
export async function readTail(path: string, maximum: number): Promise<FileTail> {
  try {
    const file = await openPlainFile(path);
    try {
      const info = await file.stat();
      const length = Math.min(info.size, maximum);
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(length),
        0,
        length,
        info.size - length,
      );
      const bytes = buffer.subarray(0, bytesRead);
      const start = bytes.findIndex((byte) => byte !== 0);
      return { size: info.size, bytes: bytes.subarray(start < 0 ? bytesRead : start) };
    } finally {
      await file.close();
    }
  } catch {
    return NOTHING;
  }
}

const NOTHING: FileTail = { size: 0, bytes: Buffer.alloc(0) };
