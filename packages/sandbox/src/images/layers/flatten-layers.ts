import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tarEnd, tarPadding } from "@virga/guest";
import { abortedError } from "@virga/vm";
import { LayerBudget } from "./layer-budget.ts";
import { LayerTree } from "./layer-tree.ts";
import type { LayerFile, MergedEntry } from "./layer-tree.ts";
import { readTar } from "./read-tar.ts";
import type { TarAttributes, TarEntry } from "./tar-entry.ts";
import { badArchive, checkedPath } from "./tar-header.ts";
import { tarHeader } from "./write-tar.ts";

const CHUNK_BYTES = 2 ** 20;
/** Marks of overlay file systems: in an image they would not be content but change how the guest's own overlay reads it. */
const OVERLAY_MARK = /^(?:trusted|user)\.overlay\./u;

/** What to make of layers. */
export interface FlattenOptions {
  /** Directories that must be there: what the image names as its commands' own. */
  readonly directories: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gives one archive of all layers, uncompressed tar files with the lowest first: whiteouts applied, and modes, owners, hard links, devices and extended attributes
 * kept. Its names are sorted, have no `..` and no symbolic link before their last part. Nothing is written anywhere. `IO_ERROR` for layers that are damaged.
 */
export async function* flattenLayers(
  layers: readonly string[],
  options: FlattenOptions,
): AsyncGenerator<Buffer, void> {
  const files: FileHandle[] = [];
  try {
    const tree = new LayerTree();
    const budget = new LayerBudget();
    for (const [index, path] of layers.entries()) {
      const file = await open(path);
      files.push(file);
      const entries: TarEntry[] = [];
      for await (const entry of readTar(file)) {
        if (options.signal?.aborted === true) throw abortedError("reading layers", options.signal);
        budget.add(entry);
        entries.push(entry);
      }
      tree.add(index, entries);
    }
    for (const directory of options.directories) tree.ensureDirectory(directory);
    const names = new Map<LayerFile, string>();
    for (const entry of tree.walk()) yield* one(entry, names, files);
    yield tarEnd;
  } finally {
    for (const file of files) await file.close();
  }
}

async function* one(
  { path, node }: MergedEntry,
  names: Map<LayerFile, string>,
  files: readonly FileHandle[],
): AsyncGenerator<Buffer, void> {
  checkedPath(path);
  const attributes = { ...node.attributes, xattrs: contentXattrs(node.attributes) };
  if (!("layer" in node)) {
    yield tarHeader(path, attributes, 0);
    return;
  }
  const first = names.get(node);
  if (first !== undefined) {
    yield tarHeader(path, { ...attributes, type: "link", target: first, xattrs: new Map() }, 0);
    return;
  }
  names.set(node, path);
  yield tarHeader(path, attributes, node.size);
  if (node.size === 0) return;
  const file = files[node.layer];
  if (file === undefined) throw new Error(`there is no layer ${node.layer}`);
  yield* contentOf(file, node);
  const padding = tarPadding(node.size);
  if (padding > 0) yield Buffer.alloc(padding);
}

async function* contentOf(file: FileHandle, node: LayerFile): AsyncGenerator<Buffer, void> {
  for (let done = 0; done < node.size;) {
    const length = Math.min(CHUNK_BYTES, node.size - done);
    const chunk = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(chunk, 0, length, node.offset + done);
    if (bytesRead === 0) throw badArchive("a layer was cut off while it was read");
    yield chunk.subarray(0, bytesRead);
    done += bytesRead;
  }
}

function contentXattrs({ xattrs }: TarAttributes): ReadonlyMap<string, string> {
  return new Map([...xattrs].filter(([name]) => !OVERLAY_MARK.test(name)));
}
