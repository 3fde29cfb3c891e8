import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { VirgaError } from "@virga/vm";
import { GUEST_MODULES } from "./guest-modules.ts";
import { publishKernel, type GuestKernel } from "./kernel-store.ts";
import { modulesInOrder, readModuleTree, type LoadableModule } from "./module-tree.ts";

/** A kernel of the user's own. */
export interface KernelFileOptions {
  /** The directory that holds the kernels. */
  readonly root: string;
  /** A bzImage or an ELF kernel. */
  readonly kernel: string;
  /** Its `lib/modules/<release>` directory; absent for a kernel with everything built in. */
  readonly modules?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Copies a kernel given by path into the store. `SETUP_FAILED` when a file cannot be read or modules that guests need are not among the given ones. */
export async function importKernelFiles(options: KernelFileOptions): Promise<GuestKernel> {
  const image = await readFile(options.kernel).catch((cause: unknown) => {
    throw new VirgaError("SETUP_FAILED", `Cannot read the guest kernel ${options.kernel}`, {
      cause,
    });
  });
  const modules =
    options.modules === undefined ? [] : await readModules(options.modules, options.signal);
  const hash = createHash("sha256").update(image);
  for (const { name, content } of modules)
    hash.update(`\0${name}\0${content.length}\0`).update(content);
  const release =
    modules[0]?.info.release ?? basename(options.kernel).replace(/^vmlinu[xz]-?/u, "");
  return publishKernel(
    options.root,
    {
      id: `given-${hash.digest("hex").slice(0, 16)}`,
      release,
      source: [options.kernel, options.modules].filter((path) => path !== undefined).join(" with "),
      image,
      modules,
    },
    options.signal,
  );
}

async function readModules(
  directory: string,
  signal: AbortSignal | undefined,
): Promise<LoadableModule[]> {
  const tree = await readModuleTree(directory).catch((cause: unknown) => {
    throw new VirgaError("SETUP_FAILED", `Cannot read the kernel modules in ${directory}`, {
      cause,
    });
  });
  if (tree.files.size === 0 && tree.builtin.size === 0) {
    throw new VirgaError(
      "SETUP_FAILED",
      `Cannot use ${directory}: there is no kernel module and no modules.builtin in it`,
    );
  }
  return modulesInOrder(tree, GUEST_MODULES, signal);
}
