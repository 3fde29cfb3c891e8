import { join } from "node:path";
import type { SandboxRow } from "../catalog/rows.ts";
import { isDeadOwner } from "../owners/owner-alive.ts";
import { deadOwners } from "../owners/owner-record.ts";
import { isFree } from "../life/recover-sandboxes.ts";
import { recoverHome } from "../recover-home.ts";
import { upperPath } from "../sandbox-disks.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { treeSize } from "../tree-size.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";

/** Sandboxes and VMs that have died with their process, and those whose removal was cut off. Every command removes them; here they are told. */
export async function deadSandboxes(tools: GarbageTools): Promise<Garbage[]> {
  const { home, catalog, logger } = tools;
  const isDead = ({ owner }: SandboxRow): boolean => owner !== null && isDeadOwner(owner);
  const rows = catalog.sandboxes.withIntent();
  const owned = await deadOwners(home, { sweep: false });
  const reasons = new Map<string, string>();
  for (const { id, phase } of rows)
    if (phase === "destroying" && (await isFree({ home }, id)))
      reasons.set(id, "its removal was not finished");
  for (const { id } of [...rows.filter(isDead), ...owned])
    reasons.set(id, "the process it was to die with has died");
  return Promise.all(
    [...reasons].map(async ([id, reason]) => ({
      kind: "sandbox" as const,
      id,
      reason,
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
