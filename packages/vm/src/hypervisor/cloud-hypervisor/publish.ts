import { constants } from "node:fs";
import { lstat, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { vmLayout } from "../../directory.ts";
import type { RunPaths } from "../../directory.ts";
import { VirgaError } from "../../errors.ts";
import { copySparse } from "../../snapshot/sparse-copy.ts";
import type { SnapshotOutput, VmContext } from "../port.ts";
import { diskPaths, memoryFileOf, parseSnapshotConfig, retargetConfig } from "./snapshot-config.ts";
import type { MemoryFile, SnapshotConfig } from "./snapshot-config.ts";
import { emptyRangeTable, rangesMatchFile, readMemoryState } from "./snapshot-state.ts";

/** Names Cloud Hypervisor gives the files of a snapshot. */
export const SNAPSHOT_FILES = {
  config: "config.json",
  state: "state.json",
  ranges: "memory-ranges",
} as const;

/** Name of a memory file that clones map. */
const MEMORY_FILE = "memory";

const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_STATE_BYTES = 64 * 1024 * 1024;

/**
 * Makes what `vm.snapshot` wrote into `layout.host.out` restorable by any clone: paths become the fixed ones whatever this VM used, and memory that was
 * mapped from a file becomes a file that clones map:
 * - memory on the VM's own file, mapped shared (a template): the file is copied by extents;
 * - memory mapped privately from a snapshot (a clone): `memory-ranges` is that file;
 * - anonymous memory: stays `memory-ranges`.
 */
export async function publishSnapshot(
  context: VmContext,
  signal: AbortSignal | undefined,
): Promise<SnapshotOutput> {
  const { config: vm, layout } = context;
  const out = layout.host.out;
  const bytes = vm.memoryMib * 1024 * 1024;
  const config = parseSnapshotConfig(
    await readRegular(join(out, SNAPSHOT_FILES.config), MAX_CONFIG_BYTES),
  );
  const mapped = memoryFileOf(config);
  if (mapped?.shared === true) {
    await checkSize(layout.host.memory, bytes);
    await copySparse(layout.host.memory, join(out, MEMORY_FILE), { signal });
    await writeConfig(context, config, true);
    return output(MEMORY_FILE, "file", bytes);
  }
  await checkSize(join(out, SNAPSHOT_FILES.ranges), bytes);
  if (mapped !== undefined && (await makeMappable(context))) {
    await writeConfig(context, config, true);
    return output(MEMORY_FILE, "file", bytes);
  }
  await writeConfig(context, config, false);
  return output(SNAPSHOT_FILES.ranges, "ranges", bytes);
}

function output(file: string, form: "file" | "ranges", bytes: number): SnapshotOutput {
  return {
    files: [SNAPSHOT_FILES.config, SNAPSHOT_FILES.state, file],
    memory: { form, file, bytes },
  };
}

/** Whether the state in `out` has every byte of `memory-ranges` where the mapped file has it. */
export async function readRangesMatchFile({ config, layout }: VmContext): Promise<boolean> {
  const path = join(layout.host.out, SNAPSHOT_FILES.state);
  const state = readMemoryState(await readRegular(path, MAX_STATE_BYTES));
  return state !== undefined && rangesMatchFile(state, config.memoryMib * 1024 * 1024);
}

/** Turns `memory-ranges` into a memory file, where its bytes lie as the zone's file has them. */
async function makeMappable(context: VmContext): Promise<boolean> {
  if (!(await readRangesMatchFile(context))) return false;
  const { out } = context.layout.host;
  const path = join(out, SNAPSHOT_FILES.state);
  await replaceFile(path, emptyRangeTable(await readRegular(path, MAX_STATE_BYTES)));
  await rename(join(out, SNAPSHOT_FILES.ranges), join(out, MEMORY_FILE));
  return true;
}

/** Writes the configuration with the fixed paths; `mapped`: clones map the memory file of the snapshot they come from. */
async function writeConfig(
  { config: vm, layout }: VmContext,
  config: SnapshotConfig,
  mapped: boolean,
): Promise<void> {
  const fixed: RunPaths = vmLayout(layout.directory, vm.socketName, true).inside;
  const memory: MemoryFile | undefined = mapped
    ? { file: join(fixed.snapshot, MEMORY_FILE), shared: false }
    : undefined;
  const published = retargetConfig(config, fixed, diskPaths(vm.disks, fixed), memory);
  await replaceFile(join(layout.host.out, SNAPSHOT_FILES.config), JSON.stringify(published));
}

async function checkSize(path: string, bytes: number): Promise<void> {
  const found = await lstat(path);
  if (found.isFile() && found.size === bytes) return;
  throw new VirgaError(
    "SNAPSHOT_FAILED",
    `Memory file ${path} has ${found.size} bytes, the guest has ${bytes}`,
    {
      details: { path, bytes: found.size, expected: bytes },
    },
  );
}

/** Reads a small file from a directory the VMM can write: a link in its place is not followed. */
export async function readRegular(path: string, maximumBytes: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > maximumBytes) {
      throw new VirgaError(
        "SNAPSHOT_INVALID",
        `${path} is no file of at most ${maximumBytes} bytes`,
        {
          details: { path, bytes: found.size, maximum: maximumBytes },
        },
      );
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
