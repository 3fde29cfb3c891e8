import { join } from "node:path";
import { VirgaError } from "../../errors.ts";
import { openPlainFile } from "../../open-plain-file.ts";
import { copySparse } from "../../snapshot/sparse-copy.ts";
import type { CallOptions, SnapshotOutput, VmContext } from "../port.ts";
import { DEVICES_FILE, MEMORY_FILE } from "./files.ts";
import type { QmpSession } from "./qmp-session.ts";
import { OWN_MEMORY } from "../vmm-memory.ts";
import { withinLimit } from "./within-limit.ts";
import { saveChangedPages } from "./save-changed-pages.ts";
import { savePrivateMemory } from "./save-private-memory.ts";

const MIB = 1 << 20;

/** `QEVM`, with which each saved state begins. */
const STATE_MAGIC = 0x51_45_56_4d;

/**
 * Saves a paused VM into `layout.host.out`: the devices by QEMU itself, the memory as a file that clones can map.
 *
 * Not by `migrate`: after it QEMU refuses another one until the guest has run again, and a paused VM may be snapshotted twice. The command used here is named
 * after Xen and works everywhere; with `live` false it leaves the disks open.
 */
export async function saveSnapshot(
  context: VmContext,
  qmp: QmpSession,
  options: CallOptions,
): Promise<SnapshotOutput> {
  const { config, layout } = context;
  const memoryPath = join(layout.host.out, MEMORY_FILE);
  // It also waits for requests of the disks that are under way, so it comes first.
  await qmp.execute("xen-save-devices-state", {
    filename: join(layout.inside.out, DEVICES_FILE),
    live: false,
  });
  await checkState(join(layout.host.out, DEVICES_FILE));
  const bytes = config.memoryMib * MIB;
  const wholeBecause = sharesMemory(context)
    ? await saveChangedPages(context, memoryPath, options)
    : OWN_MEMORY;
  if (wholeBecause === OWN_MEMORY) await copyMemory(layout.host.memory, memoryPath, options);
  else if (wholeBecause !== undefined) await savePrivateMemory(context, qmp, memoryPath);
  return {
    files: [DEVICES_FILE, MEMORY_FILE],
    memory: { form: "file", file: MEMORY_FILE, bytes },
    ...(wholeBecause !== undefined && { wholeBecause }),
  };
}

/** Whether the VM maps the memory of its snapshot, and so has no complete file of its own. */
function sharesMemory({ config }: VmContext): boolean {
  return config.snapshotDirectory !== undefined && config.restoreMode === "shared";
}

async function copyMemory(from: string, to: string, options: CallOptions): Promise<void> {
  await withinLimit("saving the memory", options, (signal) => copySparse(from, to, { signal }));
}

async function checkState(path: string): Promise<void> {
  const file = await openPlainFile(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (bytesRead === 4 && buffer.readUInt32BE() === STATE_MAGIC) return;
    const { size } = await file.stat();
    throw new VirgaError(
      "SNAPSHOT_FAILED",
      `QEMU wrote no device state: ${path} has ${size} bytes`,
      { details: { path, size } },
    );
  } finally {
    await file.close();
  }
}
