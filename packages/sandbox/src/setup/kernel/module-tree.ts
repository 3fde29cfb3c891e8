import { readFile, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { VirgaError, errnoOf } from "@virga/vm";
import { runTool } from "../run-tool.ts";
import { moduleName, readModuleInfo, withoutSignature, type ModuleInfo } from "./module-info.ts";

const MODULE_FILE = /^(.+)\.ko(?:\.(xz|gz|zst))?$/u;
const MAX_MODULE_BYTES = 64 << 20;

/** A module that is to be loaded, uncompressed. */
export interface LoadableModule {
  /** Normalised name. */
  readonly name: string;
  readonly content: Buffer;
  readonly info: ModuleInfo;
}

/** A kernel's modules as they lie in `lib/modules/<release>`. */
export interface ModuleTree {
  readonly directory: string;
  /** Normalised name → file. */
  readonly files: ReadonlyMap<string, string>;
  readonly builtin: ReadonlySet<string>;
}

/** Finds the modules below `directory` (any folders below it), and what its `modules.builtin` lists. */
export async function readModuleTree(directory: string): Promise<ModuleTree> {
  const files = new Map<string, string>();
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    const name = MODULE_FILE.exec(entry.name)?.[1];
    if (name !== undefined && entry.isFile()) {
      files.set(moduleName(name), join(entry.parentPath, entry.name));
    }
  }
  const builtin = new Set<string>();
  for (const line of (await readIfPresent(join(directory, "modules.builtin"))).split("\n")) {
    if (line.endsWith(".ko")) builtin.add(moduleName(basename(line, ".ko")));
  }
  return { directory, files, builtin };
}

/**
 * Gives the wanted modules and all they depend on, each once, in an order in which they can be loaded. Their dependencies are read from the modules
 * themselves, because a kernel package that was only unpacked has no `modules.dep`. `SETUP_FAILED` names modules that the kernel does not have.
 */
export async function modulesInOrder(
  tree: ModuleTree,
  wanted: readonly { readonly name: string; readonly optional?: true }[],
  signal?: AbortSignal,
): Promise<LoadableModule[]> {
  const missing: string[] = [];
  const visiting = new Set<string>();
  const ordered = new Map<string, LoadableModule>();
  const visit = async (name: string, optional: boolean): Promise<void> => {
    if (ordered.has(name) || tree.builtin.has(name)) return;
    if (visiting.has(name)) {
      throw new VirgaError(
        "SETUP_FAILED",
        `Kernel modules depend on each other: ${[...visiting].join(", ")}`,
      );
    }
    const file = tree.files.get(name);
    if (file === undefined) {
      if (!optional) missing.push(name);
      return;
    }
    visiting.add(name);
    const content = await readModule(file, signal);
    const info = describe(file, content);
    for (const dependency of info.depends) await visit(dependency, false);
    visiting.delete(name);
    ordered.set(name, { name, content: withoutSignature(content), info });
  };
  for (const { name, optional = false } of wanted) await visit(moduleName(name), optional);
  if (missing.length > 0) {
    throw new VirgaError(
      "SETUP_FAILED",
      `The kernel modules in ${tree.directory} lack ${missing.join(", ")}, which guests need`,
      { details: { directory: tree.directory, missing } },
    );
  }
  return [...ordered.values()];
}

function describe(file: string, content: Buffer): ModuleInfo {
  try {
    return readModuleInfo(content);
  } catch (cause) {
    throw new VirgaError("SETUP_FAILED", `Kernel module ${file} cannot be understood`, { cause });
  }
}

async function readModule(file: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const packed = await readFile(file);
  const options = { maxOutputLength: MAX_MODULE_BYTES };
  switch (MODULE_FILE.exec(file)?.[2] ?? "none") {
    case "xz":
      return runTool("xz", ["-dc"], {
        what: `unpack the kernel module ${file}`,
        input: packed,
        maxOutputBytes: MAX_MODULE_BYTES,
        signal,
      });
    case "gz":
      return promisify(gunzip)(packed, options);
    case "zst":
      return promisify(zstdDecompress)(packed, options);
    default:
      return packed;
  }
}

async function readIfPresent(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}
