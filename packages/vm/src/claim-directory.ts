import { mkdir, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { removeDirectory } from "./destroy-vm.ts";
import { foreignEntries, hasVanished } from "./directory.ts";
import type { VmLayout } from "./directory.ts";
import { VirgaError, abortedError } from "./errors.ts";
import { removeStaleSockets } from "./launch/stale-sockets.ts";
import { tryLock } from "./lock.ts";
import type { HeldLock } from "./lock.ts";
import { readRecord, recordPaused } from "./record.ts";
import type { UndoStack } from "./undo.ts";

const POLL_MS = 5;

/** How a claim waits for whoever has the directory, and what it does to it when the VM is not made after all. */
export interface ClaimOptions {
  /** How long somebody may hold a directory that has no record: who claims it too, or removes what a dead process left in it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Where the removal of the directory is registered. */
  readonly undo: UndoStack;
  /** Whether that removal may go on: a process that survives must stay findable. */
  readonly mayRemove: () => boolean;
}

/** Makes the VM's directory, or takes one that nobody uses, and locks it. `VM_EXISTS` when it holds a VM. */
export async function claimDirectory(layout: VmLayout, options: ClaimOptions): Promise<HeldLock> {
  const { directory } = layout;
  const { undo, mayRemove } = options;
  const lock = await lockDirectory(layout, options);
  undo.add("release the lock", () => lock.release());
  if ((await readRecord(layout.record)) !== undefined) throw exists(layout);
  // Before its removal is registered: what a live owner answers on is not ours, nor is what lies around it.
  await removeStaleSockets([
    layout.host.api,
    layout.host.vsock,
    layout.host.qmpOperations,
    layout.host.qmpReads,
  ]);
  undo.add("remove the directory", async () => {
    // Its record is the only trace of it.
    if (!mayRemove()) throw new VirgaError("DESTROY_FAILED", `${directory} still has a process`);
    await removeDirectory(directory, layout.lock);
  });
  await rm(layout.host.directory, { recursive: true, force: true });
  await rm(layout.portLocks, { recursive: true, force: true });
  // Also so that no pause of a running VM needs room on the disk.
  recordPaused(directory, false);
  return lock;
}

/** A recovery may find the directory before its lock is ours, and remove it: then it is made once more. */
async function lockDirectory(
  layout: VmLayout,
  { timeoutMs, signal }: ClaimOptions,
): Promise<HeldLock> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (signal?.aborted === true) throw abortedError(`claiming ${layout.directory}`, signal);
    const lock = await tryClaim(layout, performance.now() < deadline);
    if (lock !== undefined) return lock;
    const isTaken = (await readRecord(layout.record)) !== undefined;
    if (isTaken || performance.now() >= deadline) throw exists(layout);
    await sleep(POLL_MS);
  }
}

async function tryClaim(layout: VmLayout, mayVanish: boolean): Promise<HeldLock | undefined> {
  try {
    const made = await mkdir(layout.directory, { recursive: true, mode: 0o700 });
    if (made === undefined) await checkClaimable(layout);
    return tryLock(layout.lock);
  } catch (error) {
    if (!mayVanish || !hasVanished(error)) throw error;
    return undefined;
  }
}

function exists(layout: VmLayout): VirgaError {
  return new VirgaError("VM_EXISTS", `VM directory ${layout.directory} already holds a VM`, {
    details: { directory: layout.directory },
    hint: "Destroy that VM first, or use another id.",
  });
}

/** A directory that is there already may hold what a dead VM left, never anything of somebody else's. */
async function checkClaimable(layout: VmLayout): Promise<void> {
  const { uid } = await stat(layout.directory);
  if (uid !== process.getuid?.()) {
    throw new VirgaError(
      "INVALID_CONFIG",
      `VM directory ${layout.directory} belongs to user ${uid}, not to this one`,
      { details: { directory: layout.directory, uid } },
    );
  }
  const strange = await foreignEntries(layout.directory);
  if (strange.length === 0) return;
  throw new VirgaError(
    "INVALID_CONFIG",
    `VM directory ${layout.directory} is not empty: it holds ${strange.slice(0, 5).join(", ")}`,
    {
      details: { directory: layout.directory, entries: strange },
      hint: "Name a directory that does not exist, or an empty one.",
    },
  );
}
