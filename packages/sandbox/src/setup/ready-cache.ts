import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { publishFile } from "./publish.ts";

const FORMAT = 2;

/** What a VM is made from, ready on disk. */
export interface ReadyAssets {
  /** See {@link GuestKernel}: the directory's name. */
  readonly kernelId: string;
  /** Kernel release in the guest. */
  readonly kernelRelease: string;
  /** The kernel to boot: uncompressed where that could be had. */
  readonly kernel: string;
  /** The initramfs with agent, modules and busybox. */
  readonly initramfs: string;
  /** Hash of the initramfs; part of a template's key. */
  readonly initramfsHash: string;
  readonly launcher: string;
  /** What stands between a VM and passt. */
  readonly passtGuard: string;
}

/**
 * Describes the state of files so that a change of any of them shows: path, size, inode and times, content unread. Folders count with all the files in
 * them. A path that does not exist counts as absent.
 */
export async function fingerprint(paths: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const add = async (path: string): Promise<void> => {
    const stats = await stat(path, { bigint: true }).catch(() => undefined);
    if (stats === undefined) {
      lines.push(`${path} absent`);
      return;
    }
    if (stats.isDirectory()) {
      for (const name of (await readdir(path)).toSorted()) await add(join(path, name));
      return;
    }
    lines.push([path, stats.size, stats.ino, stats.mtimeNs, stats.ctimeNs].join(" "));
  };
  for (const path of paths) await add(path);
  return lines.join("\n");
}

interface Cached {
  readonly format: number;
  readonly key: string;
  readonly assets: ReadyAssets;
}

/** Assets that are ready, or why there are none, as the second half of a sentence. */
export type ReadyLookup =
  | { readonly assets: ReadyAssets; readonly why?: never }
  | { readonly assets?: never; readonly why: string };

/** Gives the assets noted in `file` if they were made from this same state of things and are still there. */
export async function readReady(file: string, key: string): Promise<ReadyLookup> {
  let cached: Cached;
  try {
    cached = JSON.parse(await readFile(file, "utf8"));
  } catch {
    // Absent or damaged: set-up finds out by itself what there is.
    return { why: "set-up has not been finished yet" };
  }
  if (cached.format !== FORMAT) return { why: "another version of Virga did the set-up" };
  if (cached.key !== key) return { why: "what guests are made from has changed since set-up" };
  const { kernel, initramfs, launcher, passtGuard } = cached.assets;
  const there = await Promise.all(
    [kernel, initramfs, launcher, passtGuard].map((path) =>
      stat(path).then(
        (stats) => stats.isFile() && stats.size > 0,
        () => false,
      ),
    ),
  );
  if (!there.every(Boolean)) return { why: "a file that set-up made is gone" };
  return { assets: cached.assets };
}

/** Notes the assets, so that the next process need not look for them. */
export async function writeReady(file: string, key: string, assets: ReadyAssets): Promise<void> {
  const cached: Cached = { format: FORMAT, key, assets };
  await publishFile(file, (work) => writeFile(work, JSON.stringify(cached)));
}
