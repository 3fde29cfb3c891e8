import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { cacheDirectory, cached } from "./cache.ts";
import { LabError } from "./lab-error.ts";
import { tool } from "./tool.ts";

/** Kernels the lab can run, by name, and Debian's packages of them. The cloud flavours lack `kvm-amd`. */
export const kernelPackages = {
  "6.12": "linux-image-6.12-amd64",
  stock: "linux-image-amd64",
} as const;

/** Name of a kernel: `6.12` is the default, `stock` is Debian 12's own 6.1. */
export type KernelName = keyof typeof kernelPackages;

/** A kernel ready to be booted, with its modules unpacked. */
export interface Kernel {
  readonly directory: string;
  /** As `uname -r` gives it. */
  readonly release: string;
}

interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
}

/**
 * Gives a kernel, downloaded once per package version with apt-get, which checks it against the archive's signature,
 * and unpacked into the cache. Nothing is installed.
 */
export async function prepareKernel(
  name: KernelName,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<Kernel> {
  const base = join(cacheDirectory(), kernelPackages[name]);
  const wanted = await findPackage(kernelPackages[name], signal);
  const directory = await cached(join(base, `${wanted.name}_${wanted.version}`), async (work) => {
    log(`lab: downloading ${wanted.name} ${wanted.version}`);
    await unpack(wanted, work, signal);
  });
  const [release] = await readdir(join(directory, "root/lib/modules"));
  if (release === undefined) throw new LabError(`${directory} holds no kernel modules: remove it`);
  return { directory, release };
}

async function findPackage(metaPackage: string, signal?: AbortSignal): Promise<PackageRecord> {
  const advice = `as root, apt-get update; it comes from Debian 12 and its security archive`;
  const depends = await tool("apt-cache", ["depends", "--important", metaPackage], {
    signal,
  }).catch((cause: unknown) => {
    throw new LabError(`Cannot find the package ${metaPackage}: ${advice}`, { cause });
  });
  const name = /^\s*Depends: (linux-image-\S+)$/mu.exec(depends)?.[1];
  if (name === undefined) throw new LabError(`Cannot find the kernel of ${metaPackage}: ${advice}`);
  const record = await tool("apt-cache", ["show", "--no-all-versions", name], { signal });
  const version = /^Version: (\S+)$/mu.exec(record)?.[1];
  const sha256 = /^SHA256: ([0-9a-f]{64})$/mu.exec(record)?.[1];
  if (version === undefined || sha256 === undefined) {
    throw new LabError(`Cannot find version and checksum of the package ${name}: ${advice}`);
  }
  return { name, version, sha256 };
}

async function unpack(wanted: PackageRecord, work: string, signal?: AbortSignal): Promise<void> {
  const download = join(work, "download");
  await mkdir(download);
  const strict = [
    ["-o", "APT::Get::AllowUnauthenticated=false"],
    ["-o", "Acquire::AllowInsecureRepositories=false"],
    // As root, apt would otherwise warn that its unprivileged user cannot write here.
    ["-o", "APT::Sandbox::User=root"],
  ].flat();
  const args = [...strict, "-qq", "download", `${wanted.name}=${wanted.version}`];
  await tool("apt-get", args, { cwd: download, signal });
  const [file, ...others] = await readdir(download);
  if (file === undefined || others.length > 0) {
    throw new LabError(`apt-get downloaded ${others.length + 1} files for ${wanted.name}`);
  }
  const deb = join(download, file);
  const sha256 = createHash("sha256");
  await pipeline(createReadStream(deb), sha256);
  const found = sha256.digest("hex");
  if (found !== wanted.sha256) {
    throw new LabError(`${file} has SHA-256 ${found}; the archive's index says ${wanted.sha256}`);
  }
  const root = join(work, "root");
  await tool("dpkg-deb", ["-x", deb, root], { signal });
  await rm(download, { recursive: true });
  const boot = join(root, "boot");
  const image = (await readdir(boot)).find((entry) => entry.startsWith("vmlinuz-"));
  if (image === undefined) throw new LabError(`${wanted.name} holds no kernel image`);
  await rename(join(boot, image), join(work, "vmlinuz"));
  await rm(boot, { recursive: true });
  const [release = ""] = await readdir(join(root, "lib/modules"));
  await tool("depmod", ["-b", root, release], { signal });
}

/** Copies a module's file, decompressed, to `target`, for busybox's `insmod`, which reads plain files only. */
export async function copyModule(source: string, target: string): Promise<void> {
  if (source.endsWith(".xz")) {
    await copyFile(source, `${target}.xz`);
    await tool("xz", ["-d", `${target}.xz`]);
  } else {
    await copyFile(source, target);
  }
}
