import { badArchive } from "./tar-header.ts";
import type { TarAttributes, TarEntry } from "./tar-entry.ts";

/** Symbolic links on the way to one path, as Linux allows. */
const MAX_LINKS = 40;
/** More names than any image has: each takes some hundred bytes of memory. */
export const MAX_NODES = 5_000_000;
/** Deeper than any path that Linux takes at once can lead. */
const MAX_DEPTH = 2048;
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/** Attributes of directories that no layer describes. */
const implied: TarAttributes = {
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  target: "",
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** What stands behind one or more names. */
export interface LayerFile {
  readonly attributes: TarAttributes;
  /** Which layer has the content, and where. */
  readonly layer: number;
  readonly size: number;
  readonly offset: number;
}

/** A directory with its entries. */
interface Directory {
  attributes: TarAttributes;
  readonly entries: Map<string, Node>;
}

type Node = Directory | LayerFile;

/** One name of the merged tree. */
export interface MergedEntry {
  readonly path: string;
  readonly node: { readonly attributes: TarAttributes } | LayerFile;
}

/**
 * Lays the layers of a container image over each other, as the OCI's image specification says: a `.wh.NAME` removes what lower layers have of that name, an
 * opaque mark all that they have in a directory. Everything happens in memory: no path of a layer ever meets this machine's files. A path whose directories
 * are symbolic links goes where they lead within the tree, as it would when the layer is unpacked; `..` in a path is an error.
 */
export class LayerTree {
  readonly #root: Directory = { attributes: implied, entries: new Map() };
  #nodes = 0;

  /** Adds a layer, given all its entries. */
  add(layer: number, entries: readonly TarEntry[]): void {
    const rest: { readonly parts: readonly string[]; readonly entry: TarEntry }[] = [];
    // First what goes: it concerns the layers below only, wherever it stands in this one.
    for (const entry of entries) {
      const parts = partsOf(entry.path);
      const name = parts.at(-1);
      if (name?.startsWith(WHITEOUT) === true) this.#whiteOut(parts.slice(0, -1), name);
      else rest.push({ parts, entry });
    }
    for (const { parts, entry } of rest) this.#put(layer, parts, entry);
  }

  /** Makes a directory where there is none yet. What is there stays, whatever it is. */
  ensureDirectory(path: string): void {
    this.#directory(partsOf(path), "keep");
  }

  /** All names but the root's, each directory before what is in it, in an order that depends on nothing but the names. */
  *walk(): Generator<MergedEntry, void> {
    yield* walkIn(this.#root, "");
  }

  #whiteOut(parents: readonly string[], name: string): void {
    const directory = this.#directory(parents, "find");
    if (directory === undefined) return;
    if (name === OPAQUE) directory.entries.clear();
    // Other names of this form are marks of a file system's own.
    else if (!name.startsWith(`${WHITEOUT}${WHITEOUT}`)) {
      directory.entries.delete(name.slice(WHITEOUT.length));
    }
  }

  #put(layer: number, parts: readonly string[], entry: TarEntry): void {
    const name = parts.at(-1);
    const { path: _path, size, offset, ...attributes } = entry;
    if (name === undefined) {
      if (entry.type !== "directory") throw badArchive("its root is not a directory");
      this.#root.attributes = attributes;
      return;
    }
    const parent = this.#directory(parts.slice(0, -1), "make");
    if (parent === undefined) throw badArchive(`the directory of ${entry.path} cannot be made`);
    if (entry.type === "link") {
      this.#name(parent, name, this.#linked(entry));
      return;
    }
    const before = parent.entries.get(name);
    if (entry.type !== "directory") this.#name(parent, name, { attributes, layer, size, offset });
    else if (before !== undefined && isDirectory(before)) before.attributes = attributes;
    else this.#name(parent, name, { attributes, entries: new Map() });
  }

  #linked(entry: TarEntry): LayerFile {
    const parts = partsOf(entry.target);
    const name = parts.at(-1) ?? "";
    const target = this.#directory(parts.slice(0, -1), "find")?.entries.get(name);
    if (target !== undefined && !isDirectory(target)) return target;
    throw badArchive(`${entry.path} is a link to ${entry.target}, which is not there`);
  }

  #name(parent: Directory, name: string, node: Node): void {
    if (++this.#nodes > MAX_NODES) throw badArchive(`it has more than ${MAX_NODES} files`);
    parent.entries.set(name, node);
  }

  /** The directory at a path, symbolic links followed. What is missing: `find` gives undefined, the others make it; `make` also replaces what is no directory. */
  #directory(parts: readonly string[], missing: "find" | "make" | "keep"): Directory | undefined {
    const trail = [this.#root];
    const rest = parts.toReversed();
    let links = 0;
    for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
      const here = trail.at(-1) ?? this.#root;
      if (part === "..") {
        // Only links have it; above the root there is the root.
        if (trail.length > 1) trail.pop();
        continue;
      }
      if (trail.length > MAX_DEPTH) throw badArchive("its directories are nested too deep");
      const next = here.entries.get(part);
      if (next !== undefined && isDirectory(next)) {
        trail.push(next);
        continue;
      }
      if (next?.attributes.type === "symlink") {
        if (++links > MAX_LINKS) throw badArchive("its symbolic links go round in a circle");
        const { target } = next.attributes;
        if (target.startsWith("/")) trail.length = 1;
        rest.push(...target.split("/").filter(isPart).toReversed());
        continue;
      }
      if (missing === "find" || (next !== undefined && missing === "keep")) return undefined;
      const made: Directory = { attributes: implied, entries: new Map() };
      this.#name(here, part, made);
      trail.push(made);
    }
    return trail.at(-1);
  }
}

/** Whether a node is a directory. */
function isDirectory(node: Node): node is Directory {
  return "entries" in node;
}

/** The parts of an entry's path: a leading slash or dot means the root of the tree. */
function partsOf(path: string): string[] {
  const parts = path.split("/").filter(isPart);
  if (parts.includes("..")) throw badArchive(`the path ${path} leads elsewhere`);
  return parts;
}

function isPart(part: string): boolean {
  return part !== "" && part !== ".";
}

function* walkIn(directory: Directory, prefix: string): Generator<MergedEntry, void> {
  // Each character is a byte: this is the order of the bytes.
  const entries = [...directory.entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, node] of entries) {
    const path = prefix + name;
    yield { path, node };
    if (isDirectory(node)) yield* walkIn(node, `${path}/`);
  }
}
