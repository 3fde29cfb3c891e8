import { readSync, writeSync } from "node:fs";
import { constants, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

/** A piece of a file that a process has mapped privately and for writing. Bytes. */
export interface MappedSegment {
  readonly address: number;
  readonly bytes: number;
  readonly fileOffset: number;
}

/** Only here: elsewhere pages may be larger, and the table is read in pages. */
const PAGE_BYTES = 4096;

const ENTRY_BYTES = 8;

/** Entries of the page table read at once: 256 MiB of memory. */
const ENTRIES_AT_ONCE = 64 * 1024;

const COPY_BYTES = 1024 * 1024;

/** Copied between two turns of the event loop: a few milliseconds. */
const TURN_BYTES = 4 * 1024 * 1024;

/** What the two calls of a run cost, as the bytes that could be copied meanwhile. */
const RUN_COST_BYTES = 32 * 1024;

// Bits of the upper half of an entry of `pagemap`.
const PRESENT = 1 << 31;
const SWAPPED = 1 << 30;
const OF_FILE = 1 << 29;

/**
 * Finds in the text of `/proc/PID/maps` where the process has `file` mapped privately and writable. Undefined unless the segments are the whole of it,
 * `bytes` long, once.
 */
export function findSegments(
  maps: string,
  file: string,
  bytes: number,
): MappedSegment[] | undefined {
  const segments: MappedSegment[] = [];
  for (const line of maps.split("\n")) {
    const match =
      /^([0-9a-f]{1,13})-([0-9a-f]{1,13}) (\S{4}) ([0-9a-f]{1,13}) \S+ \d+ +(.+)$/u.exec(line);
    if (match === null || match[5] !== file) continue;
    const [, start = "", end = "", permissions, offset = ""] = match;
    if (permissions !== "rw-p") return undefined;
    const address = Number.parseInt(start, 16);
    segments.push({
      address,
      bytes: Number.parseInt(end, 16) - address,
      fileOffset: Number.parseInt(offset, 16),
    });
  }
  segments.sort((left, right) => left.fileOffset - right.fileOffset);
  let covered = 0;
  for (const segment of segments) {
    if (segment.fileOffset !== covered || segment.bytes % PAGE_BYTES !== 0) return undefined;
    covered += segment.bytes;
  }
  return covered === bytes ? segments : undefined;
}

/** Memory of a process, open for reading. */
export interface ProcessMemory {
  /**
   * Writes every page of the segments that is the process's own, no longer the file's, to the same place of `destination`. Returns how many.
   * The process must not run meanwhile.
   */
  copyPrivatePages(
    segments: readonly MappedSegment[],
    destination: string,
    signal: AbortSignal,
  ): Promise<number>;
  close(): Promise<void>;
}

/** Opens the memory of the process whose directory below `/proc` is given. Rejects where this process may not read it. */
export async function openProcessMemory(directory: string): Promise<ProcessMemory> {
  const table = await open(join(directory, "pagemap"), "r");
  let memory: FileHandle;
  try {
    memory = await open(join(directory, "mem"), "r");
  } catch (error) {
    await table.close();
    throw error;
  }
  return {
    async copyPrivatePages(segments, destination, signal) {
      // It may lie where the process can put a link.
      const target = await open(destination, constants.O_RDWR | constants.O_NOFOLLOW);
      try {
        const copier = new PageCopier(memory, target);
        let pages = 0;
        for (const segment of segments) {
          for await (const run of privateRuns(table, segment, signal)) {
            signal.throwIfAborted();
            await copier.copy(segment, run);
            pages += run.pages;
          }
        }
        return pages;
      } finally {
        await target.close();
      }
    },
    async close() {
      await Promise.all([table.close(), memory.close()]);
    },
  };
}

/** Pages of a segment that follow each other. */
interface Run {
  readonly first: number;
  readonly pages: number;
}

async function* privateRuns(
  table: FileHandle,
  segment: MappedSegment,
  signal: AbortSignal,
): AsyncGenerator<Run> {
  const count = segment.bytes / PAGE_BYTES;
  const buffer = Buffer.alloc(Math.min(count, ENTRIES_AT_ONCE) * ENTRY_BYTES);
  // Upper halves of the entries are the odd ones (little-endian, as is every machine this runs on).
  const halves = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);
  let first = -1;
  for (let base = 0; base < count; base += ENTRIES_AT_ONCE) {
    signal.throwIfAborted();
    const entries = Math.min(ENTRIES_AT_ONCE, count - base);
    await readWhole(
      table,
      buffer,
      entries * ENTRY_BYTES,
      (segment.address / PAGE_BYTES + base) * ENTRY_BYTES,
    );
    for (let index = 0; index < entries; index++) {
      if (isPrivate(halves[2 * index + 1] ?? 0)) {
        if (first < 0) first = base + index;
      } else if (first >= 0) {
        yield { first, pages: base + index - first };
        first = -1;
      }
    }
  }
  if (first >= 0) yield { first, pages: count - first };
}

/** Whether a page is the process's own: swapped out, or present and not of a file. */
function isPrivate(half: number): boolean {
  if ((half & SWAPPED) !== 0) return true;
  return (half & PRESENT) !== 0 && (half & OF_FILE) === 0;
}

/**
 * Copies runs of pages by synchronous calls, with a turn of the event loop now and then: what a guest writes lies in thousands of short runs, and handing
 * each to a thread takes many times as long as the copy.
 */
class PageCopier {
  readonly #memory: number;
  readonly #target: number;
  readonly #buffer = Buffer.allocUnsafe(COPY_BYTES);
  #sinceTurn = 0;

  constructor(memory: FileHandle, target: FileHandle) {
    this.#memory = memory.fd;
    this.#target = target.fd;
  }

  async copy(segment: MappedSegment, run: Run): Promise<void> {
    const end = (run.first + run.pages) * PAGE_BYTES;
    for (let at = run.first * PAGE_BYTES; at < end;) {
      const bytes = Math.min(COPY_BYTES, end - at);
      this.#copyPiece(segment.address + at, segment.fileOffset + at, bytes);
      at += bytes;
      this.#sinceTurn += bytes + RUN_COST_BYTES;
      if (this.#sinceTurn < TURN_BYTES) continue;
      this.#sinceTurn = 0;
      await turn();
    }
  }

  #copyPiece(address: number, offset: number, bytes: number): void {
    for (let done = 0; done < bytes;) {
      const read = readSync(this.#memory, this.#buffer, done, bytes - done, address + done);
      if (read === 0) throw new Error(`the process's memory ends at ${address + done}`);
      done += read;
    }
    for (let done = 0; done < bytes;) {
      done += writeSync(this.#target, this.#buffer, done, bytes - done, offset + done);
    }
  }
}

async function readWhole(
  file: FileHandle,
  buffer: Buffer,
  bytes: number,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, position + done);
    if (bytesRead === 0) throw new Error(`the process's memory ends at ${position + done}`);
    done += bytesRead;
  }
}
