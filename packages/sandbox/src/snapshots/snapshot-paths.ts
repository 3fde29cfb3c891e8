import { join } from "node:path";
import type { Home } from "../home.ts";
import { upperOf } from "../templates/template-paths.ts";

/** Every file of one snapshot of a sandbox. */
export interface SnapshotPaths {
  readonly directory: string;
  /** Memory and devices, as the VM's snapshot published them. */
  readonly memory: string;
  /** The disk of that moment; absent where the sandbox has none. */
  readonly upper: string;
}

/** The files of snapshot `id`. */
export function snapshotPaths(home: Home, id: string): SnapshotPaths {
  const directory = join(home.snapshots, id);
  const memory = join(directory, "snapshot");
  return { directory, memory, upper: upperOf(memory) };
}
