import { closeSync, existsSync, openSync, rmSync, statSync } from "node:fs";
import { writeMemory, type FakeGuest } from "./fake-guest.ts";
import type { MemoryFile, QemuOptions } from "./qemu-options.ts";

/** Opens the file of a guest's memory, made first where a booting machine has none yet. Throws the real one's words where that would give up. */
export function openMemory(
  { path, shared, readonly }: MemoryFile,
  { memoryBytes, incoming }: Pick<QemuOptions, "memoryBytes" | "incoming">,
): void {
  if (!existsSync(path)) {
    if (!shared)
      throw new Error(`can't open backing store ${path} for guest RAM: No such file or directory`);
    writeMemory(path, Buffer.alloc(0), memoryBytes);
  } else if (statSync(path).size < memoryBytes && incoming !== undefined) {
    throw new Error(
      `backing store size 0x${statSync(path).size.toString(16)} does not match 'size' option`,
    );
  }
  // Fails where the real one would: on a file it must not write to.
  closeSync(openSync(path, readonly ? "r" : "r+"));
}

/** Writes a piece of guest-physical memory to a file: what is not zero lies at its start. */
export function saveMemory(
  guest: FakeGuest,
  piece: { readonly address: number; readonly bytes: number; readonly path: string },
): void {
  const { address, bytes, path } = piece;
  rmSync(path, { force: true });
  const content = address === 0 ? guest.dump() : Buffer.alloc(0);
  writeMemory(path, content.subarray(0, bytes), bytes);
}
