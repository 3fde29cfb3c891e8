import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf } from "@virga/vm";
import { currentEntry, pointTo } from "../current-link.ts";
import { publishDirectory } from "../publish.ts";
import { extractVmlinux } from "./kernel-image.ts";
import type { LoadableModule } from "./module-tree.ts";

const DESCRIPTION = "kernel.json";
const FORMAT = 1;

/** A guest kernel that is ready to boot, in a directory of its own that never changes. */
export interface GuestKernel {
  /** Names the kernel and everything in its directory; part of a template's key. */
  readonly id: string;
  readonly directory: string;
  /** Kernel release, as `uname -r` in the guest. */
  readonly release: string;
  /** Where it came from: a package and its version, or the paths it was given by. */
  readonly source: string;
  /** The compressed kernel as the distribution ships it. */
  readonly vmlinuz: string;
  /** The same kernel uncompressed, which boots faster; absent when the image could not be unpacked. */
  readonly vmlinux?: string;
  /** Files of the modules, in the order in which to load them. */
  readonly modules: readonly string[];
}

/** What a kernel's directory is made of. */
export interface KernelContent {
  readonly id: string;
  readonly release: string;
  readonly source: string;
  readonly image: Buffer;
  readonly modules: readonly LoadableModule[];
}

interface Description {
  readonly format: number;
  readonly release: string;
  readonly source: string;
  readonly vmlinux: boolean;
  readonly modules: readonly string[];
}

/** Writes a kernel below `root` (unless it is there) and makes it the one that new templates use. */
export async function publishKernel(
  root: string,
  content: KernelContent,
  signal?: AbortSignal,
): Promise<GuestKernel> {
  const directory = join(root, content.id);
  const existing = await readKernel(directory);
  if (existing === undefined) {
    // A directory without a readable description is of another layout: it is made anew.
    await rm(directory, { recursive: true, force: true });
    await publishDirectory(directory, (work) => fill(work, content, signal));
  }
  const kernel = existing ?? (await readKernel(directory));
  if (kernel === undefined)
    throw new Error(`Kernel ${directory} cannot be read after it was written`);
  await pointTo(root, content.id);
  return kernel;
}

/** The kernel that new templates use, if there is one. */
export async function currentKernel(root: string): Promise<GuestKernel | undefined> {
  const directory = await currentEntry(root);
  return directory === undefined ? undefined : readKernel(directory);
}

/** Removes every kernel but the current one and those whose ids are given, and gives the ids of what it removed. Only under the set-up lock. */
export async function dropKernels(root: string, kept: ReadonlySet<string>): Promise<string[]> {
  const current = await currentEntry(root);
  const dropped: string[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const { name } = entry;
    if (!entry.isDirectory() || name.startsWith(".") || kept.has(name)) continue;
    if (current === undefined || name === basename(current)) continue;
    await rm(join(root, name), { recursive: true, force: true });
    dropped.push(name);
  }
  return dropped;
}

async function readKernel(directory: string): Promise<GuestKernel | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, DESCRIPTION), "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const description: Description = JSON.parse(text);
  if (description.format !== FORMAT) return undefined;
  return {
    id: basename(directory),
    directory,
    release: description.release,
    source: description.source,
    vmlinuz: join(directory, "vmlinuz"),
    ...(description.vmlinux && { vmlinux: join(directory, "vmlinux") }),
    modules: description.modules.map((name) => join(directory, "modules", `${name}.ko`)),
  };
}

async function fill(
  directory: string,
  content: KernelContent,
  signal: AbortSignal | undefined,
): Promise<void> {
  const vmlinux = await extractVmlinux(content.image, signal);
  await writeFile(join(directory, "vmlinuz"), content.image);
  if (vmlinux !== undefined) await writeFile(join(directory, "vmlinux"), vmlinux);
  await mkdir(join(directory, "modules"));
  for (const { name, content: module } of content.modules) {
    await writeFile(join(directory, "modules", `${name}.ko`), module);
  }
  const description: Description = {
    format: FORMAT,
    release: content.release,
    source: content.source,
    vmlinux: vmlinux !== undefined,
    modules: content.modules.map(({ name }) => name),
  };
  await writeFile(join(directory, DESCRIPTION), `${JSON.stringify(description, undefined, 2)}\n`);
}
