import { rm } from "node:fs/promises";
import { join } from "node:path";
import { takeBaseCopy } from "../base-copy.ts";
import type { CallOptions, VmContext } from "../port.ts";
import { openVmmMemory } from "../vmm-memory.ts";
import type { VmmMemory } from "../vmm-memory.ts";
import { MEMORY_FILE } from "./files.ts";
import { readTail } from "../../read-tail.ts";
import { withinLimit } from "./within-limit.ts";

/**
 * Writes the memory of a paused VM that maps another snapshot's file to the new file `path`: a copy of that file, and over it the pages the VM wrote. So
 * the VM stands still for what it wrote, not for its size. Where that cannot be done nothing is written, and the reason is given.
 */
export async function saveChangedPages(
  context: VmContext,
  path: string,
  options: CallOptions,
): Promise<string | undefined> {
  const memory = await openMemory(context);
  if (typeof memory === "string") return memory;
  try {
    await withinLimit("saving the changed memory", options, async (signal) => {
      await takeBaseCopy(context, memory.file, path, signal);
      await memory.process.copyPrivatePages(memory.segments, path, signal);
    });
    return undefined;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await memory.process.close();
  }
}

async function openMemory(context: VmContext): Promise<VmmMemory | string> {
  const { layout, uuid } = context;
  const pid = await readPid(layout.host.pid);
  if (pid === undefined) return "QEMU has not written its process id";
  return openVmmMemory(context, pid, join(layout.inside.snapshot, MEMORY_FILE), {
    socket: (paths) => paths.qmpReads,
    word: uuid,
  });
}

async function readPid(path: string): Promise<number | undefined> {
  const { bytes } = await readTail(path, 20);
  const match = /^(\d{1,10})\s*$/u.exec(bytes.toString("latin1"));
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
