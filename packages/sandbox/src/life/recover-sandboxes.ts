import { existsSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { errorText } from "@virga/vm";
import type { SandboxRow } from "../catalog/rows.ts";
import { isDeadOwner } from "../owners/owner-alive.ts";
import { isLocked, sandboxPaths, tryLockSandbox } from "../sandbox-lock.ts";
import { destroySandbox } from "./destroy-sandbox.ts";
import type { LifeTools } from "./life-tools.ts";
import { settleSandbox } from "./settle-sandbox.ts";

/** How long the guests of unsettled sandboxes may take to answer, all together. */
const GUEST_MS = 30_000;

/**
 * Finishes or takes back what dead processes left: removes sandboxes that were not whole yet, were being destroyed, or died with their process; settles the others.
 * What somebody works on is left to him, and what a guest does not let be done in time to whoever uses that sandbox next. Best effort: what cannot be done now is
 * logged, and the next call tries again. Gives the ids of those that are gone.
 */
export async function recoverSandboxes(
  tools: LifeTools,
  { guestMs = GUEST_MS }: { readonly guestMs?: number } = {},
): Promise<string[]> {
  const gone: string[] = [];
  const unsettled: string[] = [];
  const attempt = async (id: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      tools.logger.warn({ sandbox: id, error: errorText(error) }, "cannot recover a sandbox now");
    }
  };
  for (const { id } of tools.catalog.sandboxes.withIntent())
    await attempt(id, async () => {
      const isGone = await removeLeft(tools, id);
      (isGone ? gone : unsettled).push(id);
    });
  // At once: a guest that does not answer keeps nobody from what was left of others.
  const signal = AbortSignal.timeout(guestMs);
  await Promise.all(unsettled.map((id) => attempt(id, () => settleLeft(tools, id, signal))));
  return gone;
}

/** Removes a sandbox that nobody will have; false for any other. */
async function removeLeft(tools: LifeTools, id: string): Promise<boolean> {
  // As it is now: others went on while those before it were recovered.
  const row = tools.catalog.sandboxes.get(id);
  if (row === undefined) return false;
  const { phase } = row;
  if (isOrphan(tools, row) || (phase === "destroying" && (await isFree(tools, id)))) {
    await destroySandbox(tools, id);
    tools.logger.info({ sandbox: id, phase }, "removed a sandbox whose process has died");
    return true;
  }
  return false;
}

/** Settles what a dead process left undone in a sandbox that stays. */
async function settleLeft(tools: LifeTools, id: string, signal: AbortSignal): Promise<void> {
  const row = tools.catalog.sandboxes.get(id);
  if (row === undefined) return;
  const { phase, intent } = row;
  if (phase === "creating" || phase === "destroying" || intent === null) return;
  const lock = await tryLockSandbox(tools.home, id);
  if (lock === undefined) return;
  try {
    await settleSandbox(tools, id, signal);
    tools.logger.info({ sandbox: id, intent }, "settled what a dead process left undone");
  } finally {
    lock.release();
  }
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
