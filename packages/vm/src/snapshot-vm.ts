import { mkdir, rm } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { VirgaError } from "./errors.ts";
import { removeIntents, writeIntent } from "./intent.ts";
import type { Machine } from "./machine.ts";
import { hostCpu } from "./snapshot/host-cpu.ts";
import { MANIFEST_FORMAT } from "./snapshot/manifest.ts";
import type { SnapshotManifest } from "./snapshot/manifest.ts";
import { checkDestination, fillTemporary, publish, temporaryFor } from "./snapshot/publish.ts";
import { shapeOf } from "./snapshot/shape.ts";
import type { Operation } from "./steps.ts";
import { UndoStack } from "./undo.ts";

/**
 * Writes memory and device state of a paused VM into `directory` (absent or empty): the VMM writes below its own directory, the files move to a temporary
 * directory beside the destination, are synced and described, and appear by one rename. The VM stays paused.
 */
export async function snapshotMachine(
  machine: Machine,
  directory: string,
  operation: Operation,
  signal: AbortSignal,
): Promise<SnapshotManifest> {
  const { layout, config } = machine.context;
  if (!isAbsolute(directory) || directory.includes("\0")) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `Snapshot directory must be an absolute path, not ${JSON.stringify(directory)}`,
    );
  }
  const undo = new UndoStack();
  const temporary = temporaryFor(directory);
  const clearOut = async (): Promise<void> => {
    await rm(layout.host.out, { recursive: true, force: true });
    await mkdir(layout.host.out, { mode: 0o700 });
  };
  try {
    await operation.step("check", () => checkDestination(directory));
    undo.add("remove the temporary directory", () => removeIntents(layout.intent));
    await operation.step("intent", () =>
      writeIntent(layout.intent, { operation: "snapshot", temporary }),
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
    const manifest = await operation.step("fill", async () =>
      fillTemporary(temporary, {
        source: layout.host.out,
        files: output.files,
        manifest: {
          format: MANIFEST_FORMAT,
          createdAt: new Date().toISOString(),
          hypervisor: machine.context.build.name,
          hypervisorVersion: machine.context.build.version,
          accelerator: machine.context.build.accelerator,
          architecture: process.arch,
          cpuModel: hostCpu(),
          sandboxId: machine.id,
          templateId: config.templateId ?? null,
          parent: machine.record.restore?.directory ?? null,
          shape: await shapeOf(config, layout.isolated),
          memory: output.memory,
        },
      }),
    );
    await operation.step("publish", () => publish(temporary, directory));
    undo.release();
    await removeIntents(layout.intent);
    return manifest;
  } catch (error) {
    await undo.unwind(machine.logger);
    throw error;
  }
}
