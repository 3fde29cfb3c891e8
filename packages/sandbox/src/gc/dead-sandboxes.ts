import { join } from "node:path";
import type { SandboxRow } from "../catalog/rows.ts";
import { isDeadOwner } from "../owner-alive.ts";
import { deadOwners } from "../owner-record.ts";
import { recoverHome } from "../recover-home.ts";
import { upperPath } from "../sandbox-disks.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { treeSize } from "../tree-size.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";

/** Sandboxes and VMs that have died with their process. Every command removes them; here they are told. */
export async function deadSandboxes(tools: GarbageTools): Promise<Garbage[]> {
  const { home, catalog, logger } = tools;
  const isDead = ({ owner }: SandboxRow): boolean => owner !== null && isDeadOwner(owner);
  const rows = catalog.sandboxes.withIntent().filter(isDead);
  const owned = await deadOwners(home, { sweep: false });
  const ids = new Set([...rows, ...owned].map(({ id }) => id));
  return Promise.all(
    [...ids].map(async (id) => ({
      kind: "sandbox" as const,
      id,
      reason: "the process it was to die with has died",
      bytes: await sandboxBytes(tools, id),
      remove: async () => {
        await recoverHome(home, logger);
        const stays = catalog.sandboxes.get(id) !== undefined;
        return !stays && !(await deadOwners(home)).some((record) => record.id === id);
      },
    })),
  );
}

/** What there is of a sandbox on disk, its VM included. */
export async function sandboxBytes({ home }: GarbageTools, id: string): Promise<number> {
  const paths = [join(home.vms, id), upperPath(home, id), sandboxPaths(home, id).directory];
  const sizes = await Promise.all(paths.map(treeSize));
  return sizes.reduce((sum, { realBytes }) => sum + realBytes, 0);
}
