import { stat } from "node:fs/promises";
import { DEFAULT_SOCKET_NAME, foreignEntries, vmLayout } from "./directory.ts";
import { errnoOf, isVirgaError } from "./errors.ts";
import { removeDirectory } from "./destroy-vm.ts";
import { removeIntents } from "./intent.ts";
import { isSameProcess } from "./launch/process-identity.ts";
import { endProcess } from "./launch/stop-process.ts";
import { tryLock } from "./lock.ts";
import type { Logger } from "./logger.ts";
import { readRecord } from "./record.ts";
import type { VmRecord } from "./record.ts";

/**
 * What was found and done.
 * - `whole`: a usable VM; an interrupted operation's leftovers outside its directory were removed.
 * - `ended`: its VMM is gone; the directory stays until somebody destroys the VM.
 * - `removed`: an unfinished create or destroy was rolled back: nothing is left.
 * - `busy`: somebody works on it now.
 * - `foreign`: a record this version cannot read, or files that are not Virga's; untouched.
 */
export type RecoveryOutcome = "whole" | "ended" | "removed" | "busy" | "foreign";

/** Finishes or rolls back what a dead process left in one VM directory. */
export async function recoverDirectory(
  directory: string,
  logger: Logger,
): Promise<RecoveryOutcome> {
  const layout = vmLayout(directory, DEFAULT_SOCKET_NAME, true);
  let record: VmRecord | undefined;
  if ((await foreignEntries(directory)).length > 0) return "foreign";
  const lock = tryLock(layout.lock);
  if (lock === undefined) return "busy";
  try {
    try {
      record = await readRecord(layout.record);
    } catch (error) {
      if (!isVirgaError(error) || error.code !== "VM_NOT_OURS") throw error;
      logger.error({ directory, error }, "a VM record that this version cannot read; left alone");
      return "foreign";
    }
    const destroying = await exists(layout.destroying);
    if (record !== undefined && record.phase === "ready" && !destroying) {
      await removeIntents(layout.intent);
      return record.process !== undefined && isSameProcess(record.process) ? "whole" : "ended";
    }
    if (record?.process !== undefined) await endProcess(record.process, logger);
    await removeIntents(layout.intent);
    await removeDirectory(directory, layout.lock);
    return "removed";
  } finally {
    lock.release();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
