import { existsSync } from "node:fs";
import { errorText, isVirgaError } from "@virga/vm";
import type { HeldLock } from "@virga/vm";
import { lockSandbox, sandboxPaths } from "../sandbox-lock.ts";
import { Timings } from "../timings.ts";
import { endVm } from "./end-vm.ts";
import { LifeOperation } from "./life-operation.ts";
import type { LifeOptions, LifeTools } from "./life-tools.ts";
import { removeSandbox } from "./remove-sandbox.ts";

/** Whoever works on the sandbox notices at once that it is being destroyed, and gives up as soon as the step he is in can be cut: so long that may take. */
const LOCK_MS = 30_000;

/**
 * Ends a sandbox and removes everything of it, whatever its state, also one of which only a VM or a disk is left. Goes before what others do with it. Where something
 * of it cannot be removed now, it stays marked, and the next process tries again.
 */
export async function destroySandbox(
  tools: LifeTools,
  id: string,
  options: LifeOptions = {},
): Promise<void> {
  const { signal, timings = new Timings() } = options;
  const operation = new LifeOperation(id, "destroy", timings);
  await operation.step("mark", () => mark(tools, id));
  await operation.step("end", () => endVmBeforeLock(tools, id, signal));
  const lock = await operation.step("lock", () => lockForRemoval(tools, id));
  try {
    await operation.step("end again", () => endVm(tools, id, { signal }));
    await operation.step("remove", () => removeSandbox(tools, id));
  } finally {
    lock?.release();
  }
}

/** From here on nobody begins or commits anything. On a full disk it is not marked, and goes all the same. */
function mark({ catalog, logger }: LifeTools, id: string): void {
  try {
    const intent = catalog.sandboxes.get(id)?.intent;
    if (intent === undefined) return;
    // What is under way is told by its intent still: a snapshot goes too.
    const change = intent === null ? { intent: { kind: "destroy" } as const } : {};
    catalog.sandboxes.update(id, { phase: "destroying", ...change });
  } catch (error) {
    if (isVirgaError(error) && error.code === "VM_DESTROYED") return;
    logger.warn({ sandbox: id, error: errorText(error) }, "cannot mark a sandbox; going on");
  }
}

/** Ends what runs, so that whoever holds the lock for it lets go. One that is being made now goes with its maker, who finds the mark. */
async function endVmBeforeLock(
  tools: LifeTools,
  id: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await endVm(tools, id, { signal, waitMs: 0 });
  } catch (error) {
    tools.logger.warn({ sandbox: id, error: errorText(error) }, "cannot end a VM yet");
  }
}

/** Undefined for a sandbox that has no directory any more, or had none yet. */
async function lockForRemoval({ home }: LifeTools, id: string): Promise<HeldLock | undefined> {
  if (!existsSync(sandboxPaths(home, id).lock)) return undefined;
  try {
    return await lockSandbox(home, id, { timeoutMs: LOCK_MS });
  } catch (error) {
    if (isVirgaError(error) && error.code === "VM_DESTROYED") return undefined;
    throw error;
  }
}
