import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the lab keeps kernels: in Virga's state directory when one is given, else in the user's cache. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const home = env["VIRGA_HOME"];
  if (home) return join(home, "lab");
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "virga", "lab");
}

/**
 * Gives `directory`, made by `make` if it is not there. It appears whole, by a rename: of several processes that make
 * it at the same time one wins and the others use its work.
 */
export async function cached(
  directory: string,
  make: (work: string) => Promise<void>,
): Promise<string> {
  if (await exists(directory)) return directory;
  const parent = join(directory, "..");
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, ".new-"));
  try {
    await make(work);
    await rename(work, directory).catch(async (error: unknown) => {
      if (!(await exists(directory))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return directory;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
