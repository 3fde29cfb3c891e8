import { execFile } from "node:child_process";
import { mkdir, open, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { VmConfig } from "@virga/vm";

const run = promisify(execFile);

/** Makes the directory of a raw VM: what Virga's VMs see in theirs, under the same names. */
export async function makeRawDirectory(
  directory: string,
  { kernel, initramfs }: Pick<VmConfig, "kernel" | "initramfs">,
  snapshot: string | undefined,
): Promise<void> {
  await mkdir(directory);
  for (const name of ["ports", "disks", "out"]) await mkdir(join(directory, name));
  for (const [name, path] of Object.entries({ kernel, initramfs, snapshot })) {
    if (path !== undefined) await symlink(path, join(directory, name));
  }
}

/** Makes the memory file of a VM that boots. */
export async function makeMemory(path: string, memoryMib: number): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.truncate(memoryMib * 2 ** 20);
  } finally {
    await file.close();
  }
}

/** Copies a file without its holes. */
export async function copyFile(from: string, to: string): Promise<void> {
  await run("cp", ["--sparse=always", "--reflink=auto", from, to]);
}

/** Brings files to the disk: a snapshot that a power cut takes away is none. */
export async function syncFiles(paths: readonly string[]): Promise<void> {
  await run("sync", [...paths]);
}
