import { mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "@virga/vm";
import { namesIn } from "../names-in.ts";

const TEMPORARY = ".partial-";

/** Makes a temporary directory in `directory`. The caller removes it; {@link removePartial} does where the caller was killed. */
export async function makePartial(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return mkdtemp(join(directory, TEMPORARY));
}

/**
 * Makes the directory `target` appear whole or not at all: `fill` writes into a temporary directory beside it, which is synced and renamed. When `target`
 * exists already it is kept and what `fill` wrote is dropped. An interruption leaves only a temporary directory, see {@link removePartial}.
 */
export async function publishDirectory(
  target: string,
  fill: (directory: string) => Promise<void>,
): Promise<void> {
  const parent = dirname(target);
  const work = await makePartial(parent);
  try {
    await fill(work);
    await syncTree(work);
    await rename(work, target);
    await syncPath(parent);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    if (errnoOf(error) === "ENOTEMPTY" || errnoOf(error) === "EEXIST") return;
    throw error;
  }
}

/** As {@link publishDirectory}, for one file, which replaces what is at `target`. `fill` is given the path to write. */
export async function publishFile(
  target: string,
  fill: (path: string) => Promise<void>,
): Promise<void> {
  const parent = dirname(target);
  const work = await makePartial(parent);
  try {
    const path = join(work, "file");
    await fill(path);
    await syncPath(path);
    await rename(path, target);
    await syncPath(parent);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes what interrupted calls left in `directory`. Only while no other process publishes there: under the set-up lock. */
export async function removePartial(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (name.startsWith(TEMPORARY))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() || entry.isDirectory()) await syncPath(join(entry.parentPath, entry.name));
  }
  await syncPath(directory);
}

/** Flushes a file or a directory to the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
