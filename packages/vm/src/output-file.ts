import { closeSync, ftruncateSync, openSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/** What a guest may make its console, its hypervisor's log and its events take, each. Bytes. */
export const OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Makes a file for a process to append to that cannot take more than `OUTPUT_BYTES`, though the process may write files of `limitBytes` (a multiple of it):
 * it begins with a hole, which takes no room and leaves just that much below the limit. So the limit needs no right and no file system of its own, costs
 * nothing, and holds whoever is alive; what was written outlives the process.
 */
export function makeOutputFile(path: string, limitBytes: number): void {
  const file = openSync(path, "a", 0o600);
  try {
    ftruncateSync(file, limitBytes - OUTPUT_BYTES);
  } finally {
    closeSync(file);
  }
}

/** Where the content of such a file begins, behind its hole. */
export async function outputStart(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const start = size - (size % OUTPUT_BYTES);
  if (start < size || start === 0) return start;
  // Empty, or filled to the last byte.
  const before = start - OUTPUT_BYTES;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, before);
  return bytesRead === 1 && buffer[0] !== 0 ? before : start;
}
