import { rename, rm, stat } from "node:fs/promises";
import { errnoOf } from "../errors.ts";
import { copySparse } from "../snapshot/sparse-copy.ts";
import type { VmContext } from "./port.ts";

/** Copies the memory file that the VM maps, for its next snapshot. The file never changes, so the VM may run meanwhile. */
export async function makeBaseCopy(
  { layout }: VmContext,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const temporary = `${layout.base}.tmp`;
  // A process that was killed in its copy left it.
  await rm(temporary, { force: true });
  try {
    await copySparse(file, temporary, { signal });
    await rename(temporary, layout.base);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Puts a copy of the mapped file at `destination`: the one made ahead, where there is one. */
export async function takeBaseCopy(
  { layout }: VmContext,
  file: string,
  destination: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    if ((await stat(layout.base)).size === (await stat(file)).size) {
      await rename(layout.base, destination);
      return;
    }
  } catch (error) {
    // ENOENT: none was made ahead. EXDEV: the VMM's directory is on a file system of its own.
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EXDEV") throw error;
  }
  await copySparse(file, destination, { signal });
}
