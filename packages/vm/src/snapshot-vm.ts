import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { VirgaError } from "./errors.ts";
import { explainFullDisk } from "./full-disk.ts";
import { makeBaseCopy } from "./hypervisor/base-copy.ts";
import { removeIntents, writeIntent } from "./intent.ts";
import type { Machine } from "./machine.ts";
import { readSnapshot } from "./snapshot/check.ts";
import { hostCpu } from "./snapshot/host-cpu.ts";
import { firstMissingParent, removeMadeParents } from "./snapshot/made-parents.ts";
import { MANIFEST_FORMAT } from "./snapshot/manifest.ts";
import type { SnapshotManifest } from "./snapshot/manifest.ts";
import { checkDestination, fillTemporary, publish, temporaryFor } from "./snapshot/publish.ts";
import { shapeOf } from "./snapshot/shape.ts";
import type { Operation } from "./steps.ts";
import type { UndoStack } from "./undo.ts";
import { syncDirectory } from "./write-file-atomic.ts";

/** How a snapshot goes on once the VM's state is saved. */
export interface SnapshotOptions {
  readonly signal?: AbortSignal;
  /** Let the VM run as soon as its state is saved, before the files are synced and published. Default: it stays paused. */
  readonly resume?: boolean;
  /** Runs while the VM still stands, after its memory is saved: the place to copy its disks. What it throws fails the snapshot; the VM stays paused. */
  readonly whilePaused?: () => Promise<void>;
  /** Called as soon as the VM runs again by `resume`, before the files are synced and published. It must not throw. */
  readonly onResumed?: () => void;
}

/**
 * Copies, while the VM runs, what its next snapshot will be laid over: then it stands still only for what it wrote. Does nothing for a VM that does not
 * map a snapshot's memory.
 */
export async function prepareMachineSnapshot(
  machine: Machine,
  operation: Operation,
  signal: AbortSignal,
): Promise<void> {
  const { context, record } = machine;
  if (record.restore?.mode !== "shared") return;
  const { directory } = record.restore;
  const { memory } = await operation.step("read", () => readSnapshot(directory));
  if (memory.form !== "file") return;
  await operation.step("copy", () => makeBaseCopy(context, join(directory, memory.file), signal));
}

/**
 * Writes memory and device state of a paused VM into `directory` (absent or empty): the VMM writes below its own directory, the files move to a temporary
 * directory beside the destination, are synced and described, and appear by one rename. The VM stays paused, or goes on before the syncing. When the
 * operation fails after all, because the VM is being destroyed, `undo` takes the snapshot back.
 */
export async function snapshotMachine(
  machine: Machine,
  directory: string,
  operation: Operation,
  signal: AbortSignal,
  undo: UndoStack,
  options: Omit<SnapshotOptions, "signal"> = {},
): Promise<SnapshotManifest> {
  try {
    return await writeSnapshot(machine, directory, operation, signal, undo, options);
  } catch (error) {
    // Before the undoing makes room.
    throw await explainFullDisk(error, machine.context.layout.directory, directory);
  }
}

async function writeSnapshot(
  machine: Machine,
  directory: string,
  operation: Operation,
  signal: AbortSignal,
  undo: UndoStack,
  options: Omit<SnapshotOptions, "signal">,
): Promise<SnapshotManifest> {
  const { layout, config, build } = machine.context;
  if (!isAbsolute(directory) || directory.includes("\0")) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `Snapshot directory must be an absolute path, not ${JSON.stringify(directory)}`,
    );
  }
  const temporary = temporaryFor(directory);
  const clearOut = async (): Promise<void> => {
    await rm(layout.host.out, { recursive: true, force: true });
    await mkdir(layout.host.out, { mode: 0o700 });
  };
  const parent = await operation.step("check", async () => {
    await checkDestination(directory);
    return firstMissingParent(temporary);
  });
  if (parent !== undefined)
    undo.add("remove the directories above", () => removeMadeParents(temporary, parent));
  undo.add("remove the temporary directory", () => removeIntents(layout.intent));
  await operation.step("intent", () =>
    writeIntent(layout.intent, { operation: "snapshot", temporary, parent }),
  );
  undo.add("empty the VMM's output directory", clearOut);
  await operation.step("clear", async () => {
    // No call can be cancelled: one that was given up may still be writing there, and the VMM answers only after it.
    await machine.control.info({ timeoutMs: config.timeouts.longCallMs, signal });
    await clearOut();
    await mkdir(dirname(temporary), { recursive: true });
    await mkdir(temporary, { mode: 0o700 });
  });
  const output = await operation.step("save", () =>
    machine.control.snapshot({ timeoutMs: config.timeouts.longCallMs, signal }),
  );
  const { whilePaused } = options;
  if (whilePaused !== undefined) await operation.step("while paused", whilePaused);
  if (options.resume === true) {
    await machine.change(operation, "resume", signal);
    options.onResumed?.();
  }
  const manifest = await operation.step("fill", async () =>
    fillTemporary(
      temporary,
      {
        source: layout.host.out,
        files: output.files,
        memoryWritable: build.name === "qemu" && !build.mapsReadOnly,
        manifest: {
          format: MANIFEST_FORMAT,
          createdAt: new Date().toISOString(),
          hypervisor: build.name,
          hypervisorVersion: build.version,
          accelerator: build.accelerator,
          architecture: process.arch,
          cpuModel: hostCpu(),
          sandboxId: machine.id,
          templateId: config.templateId ?? null,
          // Known since the start: nothing is read while the VM stands still.
          ...(machine.record.kernel !== undefined && { kernel: machine.record.kernel }),
          parent: machine.record.restore?.directory ?? null,
          shape: await shapeOf(config, layout.isolated),
          memory: {
            ...output.memory,
            ...(output.wholeBecause !== undefined && { wholeBecause: output.wholeBecause }),
          },
        },
      },
      signal,
    ),
  );
  let isPublished = false;
  undo.add("take the snapshot back", async () => {
    if (isPublished) await rename(directory, temporary);
  });
  await operation.step("publish", async () => {
    await publish(temporary, directory);
    isPublished = true;
    await syncDirectory(dirname(directory));
  });
  // The intent stays until the next one: as long as the snapshot may have to be taken back, it must be found.
  return manifest;
}
