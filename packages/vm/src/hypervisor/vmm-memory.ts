import { readFile, realpath, stat } from "node:fs/promises";
import { errnoOf } from "../errors.ts";
import type { RunPaths } from "../directory.ts";
import type { VmContext } from "./port.ts";
import { findSegments, openProcessMemory } from "./private-pages.ts";
import type { MappedSegment, ProcessMemory } from "./private-pages.ts";

/** Why all memory of a VM is saved that shares none. */
export const OWN_MEMORY = "the VM maps no snapshot's memory";

/** What only the VMM of this VM has: the VMM tells its pid itself, and must not make us read another process's memory. */
export interface VmmProof {
  /** A socket it listens on. */
  readonly socket: (paths: RunPaths) => string;
  /** A word of its command line. */
  readonly word: string;
}

/** The guest's memory as the VMM has it mapped from a snapshot's file. */
export interface VmmMemory {
  readonly process: ProcessMemory;
  readonly segments: readonly MappedSegment[];
  /** The mapped file, as this process can open it. */
  readonly file: string;
}

/**
 * Opens the guest's memory in the VMM `pid`, which has `file` (a path as the VMM sees it) mapped privately. Where that is not so or may not be looked at
 * (the rights of a debugger are needed), the reason instead.
 */
export async function openVmmMemory(
  context: VmContext,
  pid: number,
  file: string,
  proof: VmmProof,
): Promise<VmmMemory | string> {
  const { layout, config } = context;
  // Another size of page, or another order of bytes, has never been tried.
  if (process.arch !== "x64") return `memory is not looked at on ${process.arch}`;
  const directory = `/proc/${pid}`;
  try {
    if (!(await isVmm(context, directory, proof)))
      return `process ${pid} is not surely the hypervisor`;
    // Without a mount namespace the snapshot is reached through a link, and the kernel names what it leads to.
    const mapped = layout.isolated ? file : await realpath(file);
    const maps = await readFile(`${directory}/maps`, "utf8");
    const segments = findSegments(maps, mapped, config.memoryMib * 1024 * 1024);
    if (segments === undefined) return "the hypervisor does not map the file privately as a whole";
    const opened = await openProcessMemory(directory);
    return {
      process: opened,
      segments,
      file: layout.isolated ? `${directory}/root${file}` : mapped,
    };
  } catch (error) {
    // Not allowed, or gone: what the caller does instead finds out.
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return `the hypervisor's memory cannot be looked at (${errno})`;
  }
}

async function isVmm(
  { layout, build }: VmContext,
  directory: string,
  { socket, word }: VmmProof,
): Promise<boolean> {
  const [own, theirs] = await Promise.all([
    stat(socket(layout.host), { bigint: true }),
    stat(`${directory}/root${socket(layout.inside)}`, { bigint: true }),
  ]);
  if (own.ino !== theirs.ino || own.dev !== theirs.dev) return false;
  const words = (await readFile(`${directory}/cmdline`, "utf8")).split("\0");
  return words[0] === build.binary && words.includes(word);
}
