import { mkdir, open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { upperOf } from "../src/templates/template-paths.ts";

const MIB = 2 ** 20;

/** Makes a published snapshot: 64 MiB of memory with a little in it, and a disk beside it. */
export async function makeSnapshot(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const memory = join(directory, "memory");
  await truncateNew(memory, 64 * MIB);
  const file = await open(memory, "r+");
  await file.write("data", 10 * MIB + 5);
  await file.close();
  await truncateNew(upperOf(directory), 3 * MIB + 17);
  const manifest = {
    format: 1,
    createdAt: "2026-11-24",
    hypervisor: "qemu",
    hypervisorVersion: "7.2",
    accelerator: "tcg",
    architecture: "x64",
    cpuModel: "max",
    sandboxId: "one",
    templateId: null,
    parent: null,
    shape: {
      vcpus: 1,
      memoryMib: 64,
      balloon: false,
      guestChannel: true,
      console: true,
      mac: null,
      tap: null,
      isolated: true,
      disks: [],
    },
    memory: { form: "file", file: "memory", bytes: 64 * MIB },
    files: [{ name: "memory", bytes: 64 * MIB }],
  };
  await writeFile(join(directory, "manifest.json"), JSON.stringify(manifest));
}

async function truncateNew(path: string, bytes: number): Promise<void> {
  await writeFile(path, "");
  await truncate(path, bytes);
}
