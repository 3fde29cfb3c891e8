import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirgaError } from "@virga/vm";
import { runTool } from "../run-tool.ts";
import { GUEST_MODULES } from "./guest-modules.ts";
import { publishKernel, type GuestKernel } from "./kernel-store.ts";
import { modulesInOrder, readModuleTree } from "./module-tree.ts";

const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Meta-packages of guest kernels, best first. 6.12 tells clones that they are clones (VMGENID); 6.1 is Debian 12's own. */
const kernelPackages: readonly string[] = ["linux-image-6.12-cloud", "linux-image-cloud"].map(
  (name) => `${name}-${architectures[process.arch] ?? process.arch}`,
);

/** How to fetch a kernel package. */
export interface KernelPackageOptions {
  /** The directory that holds the kernels. */
  readonly root: string;
  /** Meta-packages to try, in order; default: Debian's cloud kernels. */
  readonly packages?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}

/**
 * Downloads the distribution's cloud kernel and unpacks it into the store. The package is never installed: that would change what the host boots. Works as
 * any user. `SETUP_FAILED` when apt knows none of the packages, or when a step fails.
 */
export async function fetchKernelPackage(options: KernelPackageOptions): Promise<GuestKernel> {
  const name = await concretePackage(options);
  const work = await mkdtemp(join(tmpdir(), "virga-kernel-"));
  try {
    // Without the option apt, as root, warns that its own user cannot write into the folder, which is private.
    await runTool("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", name], {
      what: `download the guest kernel ${name}`,
      cwd: work,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      signal: options.signal,
      ...(options.onLine && { onLine: options.onLine }),
    });
    const archive = (await readdir(work)).find((file) => file.endsWith(".deb"));
    if (archive === undefined) {
      throw new VirgaError(
        "SETUP_FAILED",
        `Cannot unpack the guest kernel: apt-get downloaded no file for ${name}`,
      );
    }
    const version = await runTool("dpkg-deb", ["-f", archive, "Version"], {
      what: "read the kernel package",
      cwd: work,
      signal: options.signal,
    });
    const tree = join(work, "tree");
    await runTool("dpkg-deb", ["-x", archive, tree], {
      what: "unpack the kernel package",
      cwd: work,
      signal: options.signal,
    });
    return await publishTree(tree, name, version.toString("utf8").trim(), options);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

// What a meta-package depends on changes with every update; the archive it names is the kernel.
async function concretePackage(options: KernelPackageOptions): Promise<string> {
  const packages = options.packages ?? kernelPackages;
  for (const meta of packages) {
    const args = ["depends", "--no-recommends", "--no-suggests", meta];
    const output = await runTool("apt-cache", args, {
      what: `look up the package ${meta}`,
      signal: options.signal,
    }).catch((error: unknown) => {
      // apt-cache fails on a name it does not know; the next one may be known.
      if (error instanceof VirgaError && error.code === "SETUP_FAILED") return Buffer.alloc(0);
      throw error;
    });
    const name = /^\s*Depends: (linux-image-\d\S*)$/mu.exec(output.toString("utf8"))?.[1];
    if (name !== undefined) return name;
  }
  throw new VirgaError(
    "SETUP_FAILED",
    `Cannot find a guest kernel: apt knows none of ${packages.join(", ")}`,
    {
      details: { packages },
      hint: "Run apt-get update, or give a kernel with --kernel FILE and --modules DIR.",
    },
  );
}

async function publishTree(
  tree: string,
  name: string,
  version: string,
  options: KernelPackageOptions,
): Promise<GuestKernel> {
  const release = name.slice("linux-image-".length);
  const modules = await readModuleTree(await existing(tree, release));
  return publishKernel(
    options.root,
    {
      id: `${release}_${version}`,
      release,
      source: `package ${name} ${version}`,
      image: await readFile(join(tree, "boot", `vmlinuz-${release}`)),
      modules: await modulesInOrder(modules, GUEST_MODULES, options.signal),
    },
    options.signal,
  );
}

// The modules moved from /lib to /usr/lib between Debian releases.
async function existing(tree: string, release: string): Promise<string> {
  for (const prefix of ["lib", "usr/lib"]) {
    const directory = join(tree, prefix, "modules", release);
    if (
      await readdir(directory).then(
        (names) => names.length > 0,
        () => false,
      )
    )
      return directory;
  }
  throw new VirgaError(
    "SETUP_FAILED",
    `Cannot use the guest kernel ${release}: its package has no modules in it`,
  );
}
