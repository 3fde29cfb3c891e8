import { execFileSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A file system of its own, in memory, that can be filled. */
export class SmallDisk implements Disposable {
  /** Where it is mounted. */
  readonly directory: string;
  readonly #filler: string;

  /** `directory` exists and is empty. */
  constructor(directory: string) {
    this.directory = directory;
    this.#filler = join(directory, "filler");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", directory]);
  }

  /** Takes all the room that is left. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.directory);
    writeFileSync(this.#filler, Buffer.alloc(bavail * bsize), { flag: "a" });
  }

  /** Gives it back. */
  clear(): void {
    rmSync(this.#filler, { force: true });
  }

  [Symbol.dispose](): void {
    // What ends lets go of it a moment later.
    execFileSync("umount", ["--lazy", this.directory]);
  }
}
