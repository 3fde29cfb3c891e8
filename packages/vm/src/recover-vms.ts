import { existsSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { isVmId } from "./config/ids.ts";
import { hasVanished } from "./directory.ts";
import { forgetReplaced } from "./forget-replaced.ts";
import type { Logger } from "./logger.ts";
import type { MachineTable } from "./machine-table.ts";
import { recoverDirectory } from "./recover-directory.ts";
import type { RecoveryOutcome } from "./recover-directory.ts";
import { vmDirectories } from "./vm-directories.ts";

/** Where to recover VMs, and who takes up those that are whole. */
export interface RecoverVmsOptions {
  /** The manager's directory. */
  readonly root: string;
  readonly table: MachineTable;
  readonly adopt: (directory: string) => Promise<unknown>;
  readonly logger: Logger;
}

/** Recovers every VM of the directory. One that cannot be recovered does not keep the others from it; the first error of such comes at the end. */
export async function recoverVms(
  options: RecoverVmsOptions,
): Promise<ReadonlyMap<string, RecoveryOutcome>> {
  const found = new Map<string, RecoveryOutcome>();
  const failures: unknown[] = [];
  for (const id of await vmDirectories(options.root)) {
    try {
      const outcome = await recoverVm(id, options);
      if (outcome !== undefined) found.set(id, outcome);
    } catch (error) {
      options.logger.error({ vm: id, error }, "cannot recover a VM");
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return found;
}

/** Recovers one VM. Undefined when there is no directory of that id, or `table` has it already. */
export async function recoverVm(
  id: string,
  { root, table, adopt, logger }: RecoverVmsOptions,
): Promise<RecoveryOutcome | undefined> {
  if (!isVmId(id)) return undefined;
  const directory = join(root, id);
  await forgetReplaced(table, id, directory);
  if (table.isTaken(id)) return undefined;
  const entry = await lstat(directory).catch(() => undefined);
  if (entry === undefined) return undefined;
  // What a link leads to is somebody else's.
  if (!entry.isDirectory()) return "foreign";
  try {
    const outcome = await recoverDirectory(directory, logger);
    if (outcome === "whole" || outcome === "ended") await adopt(directory);
    return outcome;
  } catch (error) {
    // Another process destroyed it meanwhile; what is there now is newer than the question.
    if (!existsSync(directory) || hasVanished(error)) return undefined;
    throw error;
  }
}
