import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError } from "../../errors.ts";
import { openPlainFile } from "../../open-plain-file.ts";
import type { VmContext } from "../port.ts";
import type { QmpSession } from "./qmp-session.ts";

const MIB = 1 << 20;

/** Where the microvm's guest-physical memory is interrupted by devices, and where it goes on. */
const LOW_MEMORY_END = 0xc000_0000;
const HIGH_MEMORY_START = 0x1_0000_0000;

/** Memory that is asked for at once: bounds the extra disk space, and how long QEMU's main loop is busy. Nothing that QEMU writes is larger. */
export const PIECE_BYTES = 64 * MIB;
const BLOCK_BYTES = 64 * 1024;
const PIECE_FILE = "piece";
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/**
 * Writes the memory of a paused VM that maps another snapshot's file privately to the new file `path`: QEMU dumps it piece by piece, and what is not zero is
 * kept. The memory under the firmware, which the guest cannot see, becomes the firmware.
 */
export async function savePrivateMemory(
  { config, layout }: VmContext,
  qmp: QmpSession,
  path: string,
): Promise<void> {
  const bytes = config.memoryMib * MIB;
  const piecePath = join(layout.host.out, PIECE_FILE);
  const memory = await open(path, "wx", 0o600);
  try {
    await memory.truncate(bytes);
    for (let offset = 0; offset < bytes;) {
      const end = Math.min(offset + PIECE_BYTES, bytes);
      await qmp.execute("pmemsave", {
        val: guestAddress(offset),
        size: end - offset,
        filename: join(layout.inside.out, PIECE_FILE),
      });
      await addPiece(piecePath, memory, offset, end - offset);
      offset = end;
    }
  } finally {
    await memory.close();
    await rm(piecePath, { force: true });
  }
}

/** The guest-physical address of byte `offset` of the guest's memory. Pieces never cross the gap: it lies on a multiple of their size. */
export function guestAddress(offset: number): number {
  return offset < LOW_MEMORY_END ? offset : offset - LOW_MEMORY_END + HIGH_MEMORY_START;
}

async function addPiece(
  piecePath: string,
  memory: FileHandle,
  offset: number,
  bytes: number,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(4 * MIB);
  const piece = await openPlainFile(piecePath);
  try {
    for (let at = 0; at < bytes;) {
      const { bytesRead } = await piece.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) {
        throw new VirgaError("SNAPSHOT_FAILED", `QEMU wrote ${at} of ${bytes} bytes of memory`, {
          details: { piecePath, bytes, written: at },
        });
      }
      await writeData(memory, buffer.subarray(0, bytesRead), offset + at);
      at += bytesRead;
    }
  } finally {
    await piece.close();
  }
}

/** Writes `data` at `position`, leaving a hole for each block of zeros. */
async function writeData(memory: FileHandle, data: Buffer, position: number): Promise<void> {
  let start = -1;
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    const block = data.subarray(at, at + BLOCK_BYTES);
    const empty = block.equals(ZEROS.subarray(0, block.length));
    if (!empty && start < 0) start = at;
    if (empty && start >= 0) {
      await writeAll(memory, data.subarray(start, at), position + start);
      start = -1;
    }
  }
  if (start >= 0) await writeAll(memory, data.subarray(start), position + start);
}

async function writeAll(memory: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length;) {
    done += (await memory.write(data, done, data.length - done, position + done)).bytesWritten;
  }
}
