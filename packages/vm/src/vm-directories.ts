import { readdir } from "node:fs/promises";
import { isVmId } from "./config/ids.ts";
import { errnoOf } from "./errors.ts";

/** Names of the VM directories in a manager's directory, which need not exist. */
export async function vmDirectories(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => isVmId(name));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return [];
  }
}
