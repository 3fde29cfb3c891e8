import { existsSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { errorText } from "@virga/vm";
import type { SandboxRow } from "../catalog/rows.ts";
import { isDeadOwner } from "../owners/owner-alive.ts";
import { isLocked, sandboxPaths, tryLockSandbox } from "../sandbox-lock.ts";
import { destroySandbox } from "./destroy-sandbox.ts";
import type { LifeTools } from "./life-tools.ts";
import { settleSandbox } from "./settle-sandbox.ts";

/**
 * Finishes or takes back what dead processes left: removes sandboxes that were not whole yet, were being destroyed, or died with their process; settles the others.
 * What somebody works on is left to him. Best effort: what cannot be done now is logged, and the next call tries again. Gives the ids of those that are gone.
 */
export async function recoverSandboxes(tools: LifeTools): Promise<string[]> {
  const gone: string[] = [];
  for (const { id } of tools.catalog.sandboxes.withIntent()) {
    try {
      if (await recoverOne(tools, id)) gone.push(id);
    } catch (error) {
      tools.logger.warn({ sandbox: id, error: errorText(error) }, "cannot recover a sandbox now");
    }
  }
  return gone;
}

async function recoverOne(tools: LifeTools, id: string): Promise<boolean> {
  // As it is now: others went on while those before it were recovered.
  const row = tools.catalog.sandboxes.get(id);
  if (row === undefined) return false;
  const { phase, intent } = row;
  if (isOrphan(tools, row) || (phase === "destroying" && (await isFree(tools, id)))) {
    await destroySandbox(tools, id);
    tools.logger.info({ sandbox: id, phase }, "removed a sandbox whose process has died");
    return true;
  }
  if (phase === "creating" || phase === "destroying" || intent === null) return false;
  const lock = await tryLockSandbox(tools.home, id);
  if (lock === undefined) return false;
  try {
    await settleSandbox(tools, id);
    tools.logger.info({ sandbox: id, intent }, "settled what a dead process left undone");
  } finally {
    lock.release();
  }
  return false;
}

/** Whether it was to die with a process that is dead. */
function isOrphan({ catalog }: LifeTools, { id, owner }: SandboxRow): boolean {
  if (owner === null || !isDeadOwner(owner)) return false;
  // It may have let go of the sandbox between that look and its death. What it still has now nobody takes from it any more.
  return catalog.transaction(() => isDeepStrictEqual(catalog.sandboxes.get(id)?.owner, owner));
}

/** Whether nobody works on it: its lock is free, or gone with its directory. */
export async function isFree({ home }: Pick<LifeTools, "home">, id: string): Promise<boolean> {
  return !existsSync(sandboxPaths(home, id).lock) || !(await isLocked(home, id));
}
