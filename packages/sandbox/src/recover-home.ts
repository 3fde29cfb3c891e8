import { existsSync } from "node:fs";
import { errorText, silentLogger } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { homePaths, openHome } from "./home.ts";
import type { Home } from "./home.ts";
import { lightTools } from "./life/access.ts";
import { recoverSandboxes } from "./life/recover-sandboxes.ts";
import { deadOwners } from "./owners/owner-record.ts";
import { recoverSnapshots } from "./snapshots/recover-snapshots.ts";
import { recoverOwned } from "./owners/recover-owned.ts";

/**
 * Removes what processes left that died, and settles the sandboxes they were at work on, for whoever makes no VM himself; `Host.open` does it too. Where there is
 * nothing this reads one directory and the catalogue. Never fails: what cannot be done now is logged, and left to the next. Gives the ids of the VMs that are gone.
 */
export async function recoverHome(
  home: Home = homePaths(),
  logger: Logger = silentLogger,
): Promise<string[]> {
  try {
    const hasOwned = (await deadOwners(home)).length > 0;
    if (!hasOwned && !existsSync(home.catalog)) return [];
    // Nothing is ended on the word of another user's files.
    await openHome(home);
    const tools = lightTools(home, logger);
    const owned = hasOwned ? await recoverOwned(tools) : [];
    const gone = await recoverSandboxes(tools);
    await recoverSnapshots(tools);
    return [...owned, ...gone];
  } catch (error) {
    logger.warn({ error: errorText(error) }, "cannot look for the VMs of dead processes");
    return [];
  }
}
