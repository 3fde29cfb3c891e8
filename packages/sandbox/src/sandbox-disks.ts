import { rm } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, copySparse, errnoOf } from "@virga/vm";
import type { DiskConfig } from "@virga/vm";
import type { Home } from "./home.ts";
import { upperOf } from "./templates/template-paths.ts";

/** Words of the kernel command line that tell the agent which disk is which; they are given in this order. */
export const diskWords: readonly string[] = ["virga.root=/dev/vda", "virga.upper=/dev/vdb"];

/** The disks of a VM: the image's, which all share, and its own. */
export function disksOf(base: string, upper: string): readonly DiskConfig[] {
  return [
    { id: "base", path: base, readonly: true },
    { id: "upper", path: upper, readonly: false },
  ];
}

/** How the name of a sandbox's disk ends, after its id. */
export const UPPER_SUFFIX = ".ext4";

/** Path of the disk that sandbox `id` writes to. */
export function upperPath(home: Home, id: string): string {
  return join(home.disks, `${id}${UPPER_SUFFIX}`);
}

/** Removes the disk of a sandbox, if it has one. Nobody must use it any more. */
export async function removeUpper(home: Home, id: string): Promise<void> {
  await rm(upperPath(home, id), { force: true });
}

/** Copies an empty disk of this size to `destination`, which is made anew. */
export async function freshUpper(
  home: Home,
  diskMib: number,
  destination: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { goldenUpper } = await import("./images/golden-upper.ts");
  const golden = await goldenUpper(home.images, diskMib, signal);
  await rm(destination, { force: true });
  await copySparse(golden, destination, { signal });
}

/** Copies the disk that belongs to a template's snapshot: what the clone's memory knows of it must be there. `SNAPSHOT_INVALID` when it is not. */
export async function clonedUpper(
  snapshotDirectory: string,
  destination: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = upperOf(snapshotDirectory);
  await rm(destination, { force: true });
  try {
    await copySparse(source, destination, { signal });
  } catch (cause) {
    if (!(cause instanceof VirgaError) || errnoOf(cause.cause) !== "ENOENT") throw cause;
    throw new VirgaError("SNAPSHOT_INVALID", `The template has lost its disk ${source}`, { cause });
  }
}
