import { readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf } from "@virga/vm";

const CURRENT = "current";

/** Makes `name` the entry of `directory` that is used from now on, in one step. */
export async function pointTo(directory: string, name: string): Promise<void> {
  const link = join(directory, `.${CURRENT}-${process.pid}`);
  await rm(link, { force: true });
  await symlink(name, link);
  await rename(link, join(directory, CURRENT));
}

/** The path of the entry that is used now, if there is one. */
export async function currentEntry(directory: string): Promise<string | undefined> {
  try {
    return join(directory, basename(await readlink(join(directory, CURRENT))));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
