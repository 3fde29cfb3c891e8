import { openSync, readSync, closeSync } from "node:fs";
import { findExecutable } from "./find-executable.ts";

const programs: readonly (readonly [program: string, debianPackage: string])[] = [
  ["qemu-system-x86_64", "qemu-system-x86"],
  ["busybox", "busybox-static"],
  ["modprobe", "kmod"],
  ["depmod", "kmod"],
  ["cpio", "cpio"],
  ["xz", "xz-utils"],
  ["setpriv", "util-linux"],
  ["apt-get", "apt"],
  ["dpkg-deb", "dpkg"],
];

/** Tells in one sentence why the lab cannot run on this machine, or `undefined` when what it needs is there. */
export function missingForLab(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return `the lab emulates an x86-64 machine on Linux of the same kind; this is ${process.platform} ${process.arch}`;
  }
  const missing = new Set<string>();
  for (const [program, debianPackage] of programs) {
    const path = findExecutable(program);
    if (path === undefined) missing.add(debianPackage);
    // The initramfs holds no libraries: the busybox of the package "busybox" cannot start there.
    else if (program === "busybox" && isDynamic(path)) missing.add(debianPackage);
  }
  if (missing.size === 0) return undefined;
  const names = [...missing].join(" ");
  return `the lab needs ${names}: as root, apt-get update && apt-get install --no-install-recommends ${names}`;
}

function isDynamic(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(4096);
    const length = readSync(file, head);
    return head.subarray(0, length).includes("/ld-");
  } finally {
    closeSync(file);
  }
}
