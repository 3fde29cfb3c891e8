import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

/** Folders that hold system programs, some of which the PATH of ordinary users lacks. */
const systemFolders = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

/** Finds a program on PATH or in the system's folders. */
export function findExecutable(name: string): string | undefined {
  for (const folder of [...(process.env["PATH"] ?? "").split(":"), ...systemFolders]) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}
