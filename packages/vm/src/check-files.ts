import { stat } from "node:fs/promises";
import type { ResolvedVmConfig } from "./config/vm-config.ts";
import { VirgaError, errnoOf } from "./errors.ts";

/** Fails unless every file the configuration names is there: `NOT_FOUND`. */
export async function checkFiles(config: ResolvedVmConfig): Promise<void> {
  const files: [string, string][] = config.disks.map((disk) => [`disk ${disk.id}`, disk.path]);
  if (config.kernel !== undefined) files.push(["kernel", config.kernel]);
  if (config.initramfs !== undefined) files.push(["initramfs", config.initramfs]);
  if (config.network?.socket !== undefined) files.push(["network socket", config.network.socket]);
  for (const [what, path] of files) {
    try {
      await stat(path);
    } catch (error) {
      const missing = errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
      throw new VirgaError(
        "NOT_FOUND",
        `${what} ${path} ${missing ? "does not exist" : `cannot be read (${errnoOf(error) ?? "error"})`}`,
        { cause: error, details: { path } },
      );
    }
  }
}
