import { VmManager, cloudHypervisorDriver, errorText, qemuDriver, silentLogger } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { homePaths, openHome } from "./home.ts";
import type { Home } from "./home.ts";
import { deadOwners } from "./owner-record.ts";
import { recoverOwned } from "./recover-owned.ts";

/**
 * Removes the VMs of processes that died without removing them, for whoever makes no VM himself; `Host.open` does it too. Where there is none this reads one
 * directory. Never fails: what cannot be removed now is logged, and left to the next. Gives the ids of the VMs that are gone.
 */
export async function recoverHome(
  home: Home = homePaths(),
  logger: Logger = silentLogger,
): Promise<string[]> {
  try {
    if ((await deadOwners(home)).length === 0) return [];
    // Nothing is ended on the word of another user's files.
    await openHome(home);
    const drivers = [cloudHypervisorDriver, qemuDriver()];
    // It starts nothing, and so needs no launcher.
    const manager = new VmManager({ directory: home.vms, launcher: "", drivers, logger });
    return await recoverOwned({ home, manager, logger });
  } catch (error) {
    logger.warn({ error: errorText(error) }, "cannot look for the VMs of dead processes");
    return [];
  }
}
