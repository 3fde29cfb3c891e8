import { constants, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

/** Which kernel a VM booted, as far as its file tells without being read whole. */
export interface KernelIdentity {
  readonly path: string;
  readonly bytes: number;
  /** What its build calls itself: the version text of a bzImage, `build-id …` of an ELF image; null where neither is in it. */
  readonly identity: string | null;
}

const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
const ELF_HEADER = 64;
const MAX_PROGRAM_HEADERS = 64;
const MAX_NOTES_BYTES = 64 * 1024;
const MAX_TEXT_BYTES = 512;
/** Where a bzImage tells where its version is, counted from `SETUP_BASE`, and by which letters it is known. */
const [SETUP_VERSION, SETUP_BASE, SETUP_MAGIC] = [0x20e, 0x200, 0x202] as const;

/**
 * Tells which kernel the file at `path` is: a path alone says little once the kernel was updated, and a hash of the whole file would cost 10 ms for each VM.
 * A few hundred bytes are read. Undefined where the file cannot be read, which its hypervisor says better.
 */
export async function identifyKernel(path: string): Promise<KernelIdentity | undefined> {
  let file: FileHandle;
  try {
    // A pipe must not hold us up.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    return { path, bytes: found.size, identity: await identityOf(file) };
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

async function identityOf(file: FileHandle): Promise<string | null> {
  const head = await read(file, 0, SETUP_VERSION + 2);
  if (head.toString("latin1", 0, 4) === "\u007FELF") return elfBuildId(file, head);
  if (head.length < SETUP_VERSION + 2) return null;
  if (head.toString("latin1", SETUP_MAGIC, SETUP_MAGIC + 4) !== "HdrS") return null;
  const offset = head.readUInt16LE(SETUP_VERSION);
  if (offset === 0) return null;
  const text = (await read(file, SETUP_BASE + offset, MAX_TEXT_BYTES)).toString("latin1");
  const [version = ""] = /^[\u0020-\u007E]*/u.exec(text) ?? [];
  return version === "" ? null : version;
}

async function elfBuildId(file: FileHandle, head: Buffer): Promise<string | null> {
  // Of 64 bits and little-endian, as every kernel that is booted here.
  if (head.length < ELF_HEADER || head[4] !== 2 || head[5] !== 1) return null;
  const [size, count] = [head.readUInt16LE(0x36), head.readUInt16LE(0x38)];
  if (size < 56 || count > MAX_PROGRAM_HEADERS) return null;
  const headers = await read(file, Number(head.readBigUInt64LE(0x20)), size * count);
  for (let at = 0; at + size <= headers.length; at += size) {
    if (headers.readUInt32LE(at) !== PT_NOTE) continue;
    const bytes = Number(headers.readBigUInt64LE(at + 0x20));
    const offset = Number(headers.readBigUInt64LE(at + 0x08));
    // One after the other: there is one segment of notes, or two.
    // oxlint-disable-next-line no-await-in-loop
    const notes = await read(file, offset, Math.min(bytes, MAX_NOTES_BYTES));
    const found = buildIdIn(notes);
    if (found !== undefined) return `build-id ${found}`;
  }
  return null;
}

function buildIdIn(notes: Buffer): string | undefined {
  for (let at = 0; at + 12 <= notes.length;) {
    const [nameBytes, dataBytes] = [notes.readUInt32LE(at), notes.readUInt32LE(at + 4)];
    const data = at + 12 + aligned(nameBytes);
    const end = data + dataBytes;
    if (end > notes.length) return undefined;
    const isGnu = notes.toString("latin1", at + 12, at + 12 + nameBytes) === "GNU\0";
    if (isGnu && notes.readUInt32LE(at + 8) === NT_GNU_BUILD_ID && dataBytes > 0)
      return notes.toString("hex", data, end);
    at = data + aligned(dataBytes);
  }
  return undefined;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

async function read(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
  return buffer.subarray(0, bytesRead);
}
