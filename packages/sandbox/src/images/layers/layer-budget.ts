import { MAX_NODES } from "./layer-tree.ts";
import type { TarEntry } from "./tar-entry.ts";
import { badArchive } from "./tar-header.ts";

/** Names, links' targets and attributes of any image are far below. */
const MAX_TEXT_BYTES = 512 * 2 ** 20;

/** Counts what is kept in memory of all layers of an image while they are read. A few bytes of a packed layer can stand for very much of it. */
export class LayerBudget {
  #entries = 0;
  #textBytes = 0;

  /** `IO_ERROR` when this entry is one too many. */
  add({ path, target, xattrs }: Pick<TarEntry, "path" | "target" | "xattrs">): void {
    if (++this.#entries > MAX_NODES) throw badArchive(`it has more than ${MAX_NODES} files`);
    this.#textBytes += path.length + target.length;
    for (const [name, value] of xattrs) this.#textBytes += name.length + value.length;
    if (this.#textBytes <= MAX_TEXT_BYTES) return;
    throw badArchive(`its names and attributes take more than ${MAX_TEXT_BYTES} bytes`);
  }
}
