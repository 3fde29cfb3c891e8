import { stat } from "node:fs/promises";
import type { ResolvedVmConfig } from "../config/vm-config.ts";
import { OUTPUT_BYTES } from "../output-file.ts";

/** Room for what a VMM writes beside memory and disks: the state of its devices. */
const LEAST_BYTES = 128 * 1024 * 1024;

/**
 * How long a file that the VMM writes may become, in bytes: as long as the largest it needs, its disks (which never grow) included, and a multiple of
 * `OUTPUT_BYTES`. It is a limit of the process, and so holds without any right and whoever is alive.
 */
export async function fileLimit(
  config: Pick<ResolvedVmConfig, "disks">,
  largestFileBytes: number,
): Promise<number> {
  const writable = config.disks.filter((disk) => !disk.readonly);
  const sizes = await Promise.all(writable.map(async ({ path }) => (await stat(path)).size));
  const largest = Math.max(LEAST_BYTES, largestFileBytes, ...sizes);
  return Math.ceil(largest / OUTPUT_BYTES) * OUTPUT_BYTES;
}
