import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Something of the system that a step or a program of ours uses, and the Debian package that brings it. */
export interface Requirement {
  /** The program's name, or the file's path. */
  readonly name: string;
  readonly package: string;
  /** What it is needed for, as the second half of "needed to …". */
  readonly purpose: string;
}

const hypervisors: Readonly<Record<string, Requirement>> = {
  x64: { name: "qemu-system-x86_64", package: "qemu-system-x86", purpose: "run microVMs" },
  arm64: { name: "qemu-system-aarch64", package: "qemu-system-arm", purpose: "run microVMs" },
};

/** What each part of set-up and of the tests uses, by what it is needed for. */
export const requirements = {
  qemu: [hypervisors[process.arch] ?? hypervisors["x64"]].filter((entry) => entry !== undefined),
  kernel: [{ name: "xz", package: "xz-utils", purpose: "unpack kernel modules" }],
  native: [
    { name: "musl-gcc", package: "musl-tools", purpose: "build the agent and the launcher" },
    { name: "gcc", package: "gcc", purpose: "build the agent and the launcher" },
    {
      name: "/usr/include/linux/version.h",
      package: "linux-libc-dev",
      purpose: "build the agent and the launcher",
    },
  ],
  images: [
    { name: "sqfstar", package: "squashfs-tools", purpose: "build images" },
    { name: "mke2fs", package: "e2fsprogs", purpose: "make disks" },
    { name: "tar", package: "tar", purpose: "read directories" },
    { name: "xz", package: "xz-utils", purpose: "unpack archives" },
  ],
  debian: [
    { name: "mmdebstrap", package: "mmdebstrap", purpose: "make the image debian" },
    {
      name: "/usr/share/keyrings/debian-archive-keyring.gpg",
      package: "debian-archive-keyring",
      purpose: "check Debian's packages",
    },
  ],
  network: [{ name: "passt", package: "passt", purpose: "give sandboxes a network" }],
  pull: [{ name: "skopeo", package: "skopeo", purpose: "pull images" }],
  dev: [
    {
      name: "/usr/include/stdlib.h",
      package: "libc6-dev",
      purpose: "build native programs with sanitizers",
    },
    { name: "busybox", package: "busybox-static", purpose: "start the lab" },
    { name: "cpio", package: "cpio", purpose: "test archives" },
    { name: "ip", package: "iproute2", purpose: "test networks" },
    { name: "depmod", package: "kmod", purpose: "start the lab" },
    { name: "lz4", package: "lz4", purpose: "test the unpacking of kernels" },
    { name: "mke2fs", package: "e2fsprogs", purpose: "make root file systems" },
    { name: "mkfs.xfs", package: "xfsprogs", purpose: "test copies that share blocks" },
    { name: "nft", package: "nftables", purpose: "test networks" },
    { name: "python3", package: "python3", purpose: "test terminals" },
  ],
  // Debian 12's names: the library is part of no package whose name is the same everywhere.
  fuzz: [
    { name: "clang", package: "clang", purpose: "fuzz native programs" },
    {
      name: "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a",
      package: "libclang-rt-14-dev",
      purpose: "fuzz native programs",
    },
  ],
} as const satisfies Readonly<Record<string, readonly Requirement[]>>;

/** Gives those requirements that this machine does not meet. A program counts as there when it is on the PATH, whoever installed it. */
export async function missingRequirements(
  wanted: readonly Requirement[],
  path: string = process.env["PATH"] ?? "",
): Promise<Requirement[]> {
  const missing: Requirement[] = [];
  for (const requirement of wanted) {
    if (!(await isThere(requirement.name, path))) missing.push(requirement);
  }
  return missing;
}

/** Finds a program on the PATH. System folders count even when a user's PATH lacks them, as it does on Debian. */
export async function findProgram(
  name: string,
  path: string = process.env["PATH"] ?? "",
): Promise<string | undefined> {
  for (const folder of [...path.split(delimiter), "/usr/sbin", "/sbin"]) {
    if (folder === "") continue;
    const file = join(folder, name);
    if (await isExecutable(file)) return file;
  }
  return undefined;
}

async function isThere(name: string, path: string): Promise<boolean> {
  if (!name.startsWith("/")) return (await findProgram(name, path)) !== undefined;
  return access(name).then(
    () => true,
    () => false,
  );
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
