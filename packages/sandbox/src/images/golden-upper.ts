import { stat } from "node:fs/promises";
import { join } from "node:path";
import { publishFile, removePartial } from "../setup/publish.ts";
import { runTool } from "../setup/run-tool.ts";
import { waitForLock } from "./wait-for-lock.ts";

/** Raised by whoever changes how it is made. */
const VERSION = 1;

// Small, with a journal all the same: a copy's is replayed, because it is taken of a running guest.
const MKE2FS =
  "-q -F -t ext4 -m 0 -O ^resize_inode -J size=16 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard".split(
    " ",
  );

/** The golden file of writable disks of this size: an empty ext4, sparse, made when it is not there. Never written to: sandboxes get copies. */
export async function goldenUpper(
  directory: string,
  diskMib: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const path = join(directory, `upper-v${VERSION}-${diskMib}.ext4`);
  if (await isThere(path)) return path;
  const what = "make the file system for what sandboxes write";
  const lock = await waitForLock(join(directory, "upper.lock"), { what, signal });
  try {
    if (await isThere(path)) return path;
    await removePartial(directory);
    await publishFile(path, async (work) => {
      await runTool("mke2fs", [...MKE2FS, work, `${diskMib}M`], { what, signal });
    });
    return path;
  } finally {
    lock.release();
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
