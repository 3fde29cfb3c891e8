import { readdir } from "node:fs/promises";
import { isVmId } from "./config/ids.ts";
import { errnoOf } from "./errors.ts";

/** Names of the VM directories in a manager's directory, which need not exist; sorted. */
export async function vmDirectories(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && isVmId(entry.name))
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return [];
  }
}
