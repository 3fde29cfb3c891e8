import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { testKernel } from "./assets.ts";
import { unpackedPackages } from "./unpacked-packages.ts";

const PACKAGES = ["initramfs-tools-core", "klibc-utils", "libklibc"] as const;

/** What other packages of Debian bring: the network before there is a root, as dropbear-initramfs does, and `/dev` in the root, as udev does. */
const hooks = {
  "init-premount": ". /scripts/functions\nconfigure_networking",
  "init-bottom": "mount -n -o move /dev ${rootmnt}/dev",
} as const;

/** Fetches Debian's own initramfs programs, once per machine, and gives the folder they are in. They are unpacked, not installed. */
export async function debianInitramfsTools(): Promise<string> {
  return unpackedPackages("test-initramfs-tools", PACKAGES);
}

/**
 * Makes the initramfs that Debian's `mkinitramfs` would, of its own `init`, scripts and klibc programs, for the test kernel: nothing in it is ours but the list of
 * modules and what loads them, which Debian takes from the system it is installed on. Written to `<directory>/debian.cpio`.
 */
export async function debianInitramfs(directory: string): Promise<string> {
  const tools = await debianInitramfsTools();
  const { kernel } = await testKernel();
  const tree = join(directory, "debian-initramfs");
  const at = (...names: string[]): string => join(tree, ...names);
  const script = async (path: string, text: string): Promise<void> => {
    await writeFile(path, text);
    await chmod(path, 0o755);
  };
  const own = join(tools, "usr/share/initramfs-tools");
  for (const name of ["bin", "sbin", "conf/conf.d", "lib/modules", "scripts"]) {
    await mkdir(at(name), { recursive: true });
  }
  await cp(join(own, "init"), at("init"));
  for (const name of ["functions", "local", "nfs"]) {
    await cp(join(own, "scripts", name), at("scripts", name));
  }
  await cp(join(tools, "usr/lib/klibc/bin"), at("bin"), { recursive: true });
  for (const name of await readdir(join(tools, "lib"))) {
    await cp(join(tools, "lib", name), at("lib", name));
  }
  await symlink("lib", at("lib64"));
  await cp(join(tools, "etc/initramfs-tools/initramfs.conf"), at("conf/initramfs.conf"));
  await writeFile(at("conf/arch.conf"), "DPKG_ARCH=amd64\n");
  for (const file of kernel.modules) await cp(file, at("lib/modules", basename(file)));
  const modules = kernel.modules.map((file) => `${basename(file, ".ko")}\n`);
  await writeFile(at("conf/modules"), modules.join(""));
  await script(at("sbin/modprobe"), '#!/bin/sh\nexec insmod "/lib/modules/$1.ko"\n');
  for (const [phase, text] of Object.entries(hooks)) {
    await mkdir(at("scripts", phase));
    await writeFile(at("scripts", phase, "ORDER"), `/scripts/${phase}/hook\n`);
    await script(at("scripts", phase, "hook"), `#!/bin/sh\n${text}\n`);
  }
  const archive = join(directory, "debian.cpio");
  execFileSync("sh", ["-c", 'find . | cpio --quiet -o -H newc -R 0:0 > "$1"', "sh", archive], {
    cwd: tree,
  });
  return archive;
}
