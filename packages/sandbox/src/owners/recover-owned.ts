import { errorText } from "@virga/vm";
import type { Logger, VmManager } from "@virga/vm";
import type { Home } from "../home.ts";
import { deadOwners, forgetOwner } from "./owner-record.ts";
import type { OwnerRecord } from "./owner-record.ts";
import { removeNetwork } from "../network/remove-network.ts";
import { removeUpper } from "../sandbox-disks.ts";

/** What recovery works on. */
export interface RecoverOptions {
  readonly home: Home;
  readonly manager: VmManager;
  readonly logger: Logger;
}

/**
 * Removes the VMs whose life was bound to a process that has died without removing them. Touches nothing else. Best effort: what cannot be removed now is
 * logged, and the next call tries again. Gives the ids of the VMs that are gone.
 */
export async function recoverOwned(options: RecoverOptions): Promise<string[]> {
  const dead = await deadOwners(options.home);
  const gone = await Promise.all(dead.map((record) => removeOne(options, record)));
  return dead.filter((_, index) => gone[index]).map(({ id }) => id);
}

async function removeOne(options: RecoverOptions, record: OwnerRecord): Promise<boolean> {
  const { home, manager, logger } = options;
  const { id, purpose } = record;
  try {
    const outcome = await manager.recoverVm(id);
    // Another process is at it, or its record is of a later version.
    if (outcome === "busy" || outcome === "foreign") return false;
    if (outcome === "whole" || outcome === "ended") await manager.destroy(id);
    await removeNetwork(home, id, logger);
    await removeUpper(home, id);
    await forgetOwner(home, id);
    logger.info({ vm: id, purpose, outcome }, "removed the VM of a process that has died");
    return true;
  } catch (error) {
    logger.warn({ vm: id, error: errorText(error) }, "cannot remove the VM of a dead process now");
    return false;
  }
}
