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
 * the VM stands still for what it wrote, not for its size. False, and nothing written, where QEMU's memory may not be looked at.
 */
export async function saveChangedPages(
  context: VmContext,
  path: string,
  options: CallOptions,
): Promise<boolean> {
  const memory = await openMemory(context);
  if (memory === undefined) return false;
  try {
    await withinLimit("saving the changed memory", options, async (signal) => {
      await takeBaseCopy(context, memory.file, path, signal);
      await memory.process.copyPrivatePages(memory.segments, path, signal);
    });
    return true;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await memory.process.close();
  }
}

async function openMemory(context: VmContext): Promise<VmmMemory | undefined> {
  const { layout, uuid } = context;
  const pid = await readPid(layout.host.pid);
  if (pid === undefined) return undefined;
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
