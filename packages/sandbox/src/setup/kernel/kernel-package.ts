import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, virgaCommand } from "@virga/vm";
import {
  packageDependencies,
  packageVersion,
  withUnpackedPackages,
  type DebPackageOptions,
  type UnpackedPackage,
} from "../deb-package.ts";
import { GUEST_MODULES } from "./guest-modules.ts";
import { publishKernel, type GuestKernel } from "./kernel-store.ts";
import { modulesInOrder, readModuleTree } from "./module-tree.ts";

const PREFIX = "linux-image-";
const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;

// Best first. 6.12 tells clones that they are clones (VMGENID); the next is the release's own; the last is Ubuntu's.
const metaPackages = [
  `linux-image-6.12-cloud-${architecture}`,
  `linux-image-cloud-${architecture}`,
  "linux-image-virtual",
];

/** How to fetch a kernel package. */
export interface KernelPackageOptions extends Omit<DebPackageOptions, "directory"> {
  /** The directory that holds the kernels. */
  readonly root: string;
  /** Meta-packages to try, in order; default: the distribution's kernels for virtual machines. */
  readonly packages?: readonly string[];
}

/**
 * Downloads the distribution's cloud kernel and unpacks it into the store. The package is never installed: that would change what the host boots. Works as
 * any user. `SETUP_FAILED` when apt knows none of the packages, or when a step fails.
 */
export async function fetchKernelPackage(options: KernelPackageOptions): Promise<GuestKernel> {
  const image = await concretePackage(options);
  // Ubuntu keeps the modules in a package of their own.
  const modules = (await packageDependencies(image, options.signal)).filter(
    (name) => name === `linux-modules-${image.slice(PREFIX.length)}`,
  );
  return withUnpackedPackages(
    [image, ...modules],
    { ...options, directory: options.root },
    (unpacked) => publishPackage(unpacked, options),
  );
}

/** A kernel that the distribution has. */
export interface NewestKernel {
  /** What it is named in the store. */
  readonly id: string;
  readonly release: string;
}

/** Says which kernel {@link fetchKernelPackage} would fetch, by apt's lists as they are. `SETUP_FAILED` as there. */
export async function newestKernelPackage(
  options: Pick<KernelPackageOptions, "packages" | "signal"> = {},
): Promise<NewestKernel> {
  const name = await concretePackage(options);
  const release = name.slice(PREFIX.length);
  return { id: kernelId(release, await packageVersion(name, options.signal)), release };
}

function kernelId(release: string, version: string): string {
  return `${release}_${version}`;
}

// What a meta-package depends on changes with every update: the package it names has the kernel.
async function concretePackage(
  options: Pick<KernelPackageOptions, "packages" | "signal">,
): Promise<string> {
  const packages = options.packages ?? metaPackages;
  const failures: VirgaError[] = [];
  for (const meta of packages) {
    try {
      const dependencies = await packageDependencies(meta, options.signal);
      const name = dependencies.find((dependency) => /^linux-image-\d/u.test(dependency));
      if (name !== undefined) return name;
    } catch (error) {
      // The next one may be known. What apt said counts when none is.
      if (!(error instanceof VirgaError) || error.code !== "SETUP_FAILED") throw error;
      failures.push(error);
    }
  }
  const words = [...new Set(failures.map(wordsOf))].join("\n");
  throw new VirgaError(
    "SETUP_FAILED",
    `Cannot find a guest kernel: apt knows none of ${packages.join(", ")}${words && `:\n${words}`}`,
    {
      cause: failures.at(-1),
      details: { packages, words },
      hint: `Run apt-get update, or give a kernel: ${virgaCommand("setup --kernel FILE --modules DIR")}`,
    },
  );
}

/** What the program said; where it could not even be run, why not. */
function wordsOf({ details, message }: VirgaError): string {
  const { tail } = details;
  return typeof tail === "string" && tail.trim() !== "" ? tail.trim() : message;
}

async function publishPackage(
  { name, version, tree }: UnpackedPackage,
  { root, signal }: KernelPackageOptions,
): Promise<GuestKernel> {
  const release = name.slice(PREFIX.length);
  const modules = await readModuleTree(await modulesDirectory(tree, release));
  const content = {
    id: kernelId(release, version),
    release,
    source: `package ${name} ${version}`,
    image: await readFile(join(tree, "boot", `vmlinuz-${release}`)),
    modules: await modulesInOrder(modules, GUEST_MODULES, signal),
  };
  return publishKernel(root, content, signal);
}

// The modules moved from /lib to /usr/lib between Debian releases.
async function modulesDirectory(tree: string, release: string): Promise<string> {
  for (const prefix of ["lib", "usr/lib"]) {
    const directory = join(tree, prefix, "modules", release);
    const names = await readdir(directory).catch(() => []);
    if (names.length > 0) return directory;
  }
  throw new VirgaError(
    "SETUP_FAILED",
    `Cannot use the guest kernel ${release}: its package has no modules in it`,
  );
}
