import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError } from "../../errors.ts";
import { copySparse } from "../../snapshot/sparse-copy.ts";
import type { SnapshotSource, VmContext } from "../port.ts";
import { chainIncludes } from "./api-error.ts";
import { SNAPSHOT_FILES, readRegular } from "./publish.ts";
import { diskPaths, parseSnapshotConfig, retargetConfig } from "./snapshot-config.ts";
import type { MemoryFile } from "./snapshot-config.ts";

const MAX_CONFIG_BYTES = 1024 * 1024;

/** Why a snapshot cannot be restored in this mode, or undefined. */
export function whyNotMode({ mode, manifest }: SnapshotSource): string | undefined {
  const { form } = manifest.memory;
  if (mode === "shared" && form !== "file") {
    return "its memory is no file that clones can map (it was anonymous when the snapshot was taken)";
  }
  if (mode === "on-demand" && form === "file") {
    return "its memory is a file that is mapped, and Cloud Hypervisor fills on demand only from memory-ranges";
  }
  return undefined;
}

/** Whether the snapshot's own configuration, with the fixed paths, does for this clone. */
function usesPublished(context: VmContext, source: SnapshotSource): boolean {
  return context.layout.isolated && !ownsMemory(source);
}

/** A copy of a mappable snapshot: the clone's memory is a file of its own. */
function ownsMemory({ mode, manifest }: SnapshotSource): boolean {
  return mode === "copy" && manifest.memory.form === "file";
}

/** The body of `vm.restore`. */
export function restoreBody(context: VmContext, source: SnapshotSource): Record<string, unknown> {
  const { inside } = context.layout;
  const directory = usesPublished(context, source) ? inside.snapshot : inside.restore;
  return {
    source_url: `file://${directory}`,
    // A mapped file needs no copying: its range table is empty. On demand would fail for want of `memory-ranges`.
    memory_restore_mode: source.mode === "on-demand" ? "OnDemand" : "Copy",
    resume: true,
  };
}

/**
 * Makes the files this clone needs beside the snapshot: an edited configuration where the fixed paths do not hold or memory must be its own, and a copy
 * of the memory file for the latter. `ABORTED` by the signal.
 */
export async function prepareRestore(
  context: VmContext,
  source: SnapshotSource,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (usesPublished(context, source)) return;
  const { host, inside } = context.layout;
  const { memory } = source.manifest;
  const published = parseSnapshotConfig(
    await readRegular(join(source.directory, SNAPSHOT_FILES.config), MAX_CONFIG_BYTES),
  );
  if (ownsMemory(source))
    await copySparse(join(source.directory, memory.file), host.memory, { signal });
  const directory = host.restore;
  await mkdir(directory, { mode: 0o700 });
  const edited = retargetConfig(
    published,
    inside,
    diskPaths(context.config.disks, inside),
    memoryFor(context, source),
  );
  await writeFile(join(directory, SNAPSHOT_FILES.config), JSON.stringify(edited), {
    flag: "wx",
    mode: 0o600,
  });
  const names = [SNAPSHOT_FILES.state, ...(memory.form === "ranges" ? [memory.file] : [])];
  for (const name of names) await symlink(join(inside.snapshot, name), join(directory, name));
}

function memoryFor(context: VmContext, source: SnapshotSource): MemoryFile | undefined {
  const { inside } = context.layout;
  if (ownsMemory(source)) return { file: inside.memory, shared: true };
  const { form, file } = source.manifest.memory;
  return form === "file" ? { file: join(inside.snapshot, file), shared: false } : undefined;
}

/** Names what a refused restore lacks. Never another mode in its place: the caller asked for this one. */
export function explainRestoreFailure(error: unknown, source: SnapshotSource): unknown {
  if (
    source.mode !== "on-demand" ||
    !(error instanceof VirgaError) ||
    !chainIncludes(error, "userfaultfd")
  )
    return error;
  return new VirgaError(
    "UNSUPPORTED",
    "Cloud Hypervisor cannot restore on demand here: it may not use userfaultfd",
    {
      cause: error,
      details: { ...error.details, feature: "on-demand", hypervisor: "cloud-hypervisor" },
      hint: "Give the VMM access to /dev/userfaultfd (Linux 6.1 or newer), or restore in mode `copy` or `shared`.",
    },
  );
}
