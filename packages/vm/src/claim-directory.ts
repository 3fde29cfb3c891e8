import { mkdir, rm, stat } from "node:fs/promises";
import { removeDirectory } from "./destroy-vm.ts";
import { foreignEntries } from "./directory.ts";
import type { VmLayout } from "./directory.ts";
import { VirgaError } from "./errors.ts";
import { removeStaleSockets } from "./launch/stale-sockets.ts";
import { tryLock } from "./lock.ts";
import { readRecord } from "./record.ts";
import type { UndoStack } from "./undo.ts";

/** Makes the VM's directory, or takes one that nobody uses, and locks it. What `undo` does to it waits for `mayRemove`. `VM_EXISTS` when it holds a VM. */
export async function claimDirectory(
  layout: VmLayout,
  undo: UndoStack,
  mayRemove: () => boolean,
): Promise<{ release(): void }> {
  const { directory } = layout;
  const fresh = (await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined;
  if (!fresh) await checkClaimable(layout);
  const lock = tryLock(layout.lock);
  if (lock === undefined) throw exists(layout);
  undo.add("release the lock", () => lock.release());
  if ((await readRecord(layout.record)) !== undefined) {
    throw exists(layout);
  }
  // Before its removal is registered: what a live owner answers on is not ours, nor is what lies around it.
  await removeStaleSockets([
    layout.host.api,
    layout.host.vsock,
    layout.host.qmpOperations,
    layout.host.qmpReads,
  ]);
  undo.add("remove the directory", async () => {
    // A process that survives even SIGKILL must stay findable: its record is the only trace of it.
    if (!mayRemove()) throw new VirgaError("DESTROY_FAILED", `${directory} still has a process`);
    await removeDirectory(directory, layout.lock);
  });
  await rm(layout.host.directory, { recursive: true, force: true });
  await rm(layout.portLocks, { recursive: true, force: true });
  return lock;
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
