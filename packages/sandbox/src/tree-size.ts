import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@virga/vm";

const BLOCK_BYTES = 512;

/** What files take. Memory and disks are sparse. */
export interface TreeSize {
  /** How large they look. */
  readonly apparentBytes: number;
  /** What they take of the file system, where no other file shares it. */
  readonly realBytes: number;
}

/** The size of a file, or of all files below a directory. What is gone, or goes meanwhile, has none. */
export async function treeSize(path: string): Promise<TreeSize> {
  try {
    const stats = await lstat(path);
    if (stats.isFile()) return { apparentBytes: stats.size, realBytes: stats.blocks * BLOCK_BYTES };
    if (!stats.isDirectory()) return { apparentBytes: 0, realBytes: 0 };
    const parts = await Promise.all(
      (await readdir(path)).map((name) => treeSize(join(path, name))),
    );
    return {
      apparentBytes: parts.reduce((sum, part) => sum + part.apparentBytes, 0),
      realBytes: parts.reduce((sum, part) => sum + part.realBytes, 0),
    };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
    return { apparentBytes: 0, realBytes: 0 };
  }
}
