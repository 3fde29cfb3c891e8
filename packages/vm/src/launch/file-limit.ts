import { stat } from "node:fs/promises";
import type { ResolvedVmConfig } from "../config/vm-config.ts";

/** What a console, a log and a file of events may take at least. */
const LEAST_BYTES = 128 * 1024 * 1024;

/**
 * How long a file that the VMM writes may become, in bytes: no longer than the largest it needs, its disks (which never grow) included. So what a guest
 * makes grow, its console and what its VMM logs of it, ends there. It is a limit of the process, and so holds without any right and whoever is alive.
 */
export async function fileLimit(
  config: Pick<ResolvedVmConfig, "disks">,
  largestFileBytes: number,
): Promise<number> {
  const writable = config.disks.filter((disk) => !disk.readonly);
  const sizes = await Promise.all(writable.map(async ({ path }) => (await stat(path)).size));
  return Math.max(LEAST_BYTES, largestFileBytes, ...sizes);
}
