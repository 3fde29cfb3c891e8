import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "./cache.ts";
import { findExecutable } from "./find-executable.ts";
import { copyModule, type Kernel } from "./kernel.ts";
import { LabError } from "./lab-error.ts";
import { tool } from "./tool.ts";

// What the lab itself needs comes first; the rest is for the programs under test.
const modules = `
  virtio_pci virtio_console 9pnet_virtio 9p overlay virtio_rng
  kvm-amd tun veth bridge vhost_net vhost_vsock vsock virtio_net virtio_blk virtio_balloon loop dm-snapshot
  nf_tables nfnetlink nf_conntrack nf_nat nft_ct nft_chain_nat nft_masq nft_limit nft_reject_inet nft_redir nft_fib_inet
  erofs squashfs ext4 xfs fuse sch_tbf act_mirred`;

// Module parameters: the kernel command line does not reach modules loaded without modprobe.
const parameters: Readonly<Record<string, string>> = { kvm_amd: "nested=1" };

const scripts = ["init.sh", "run.sh"] as const;

/** Gives the lab's initramfs for a kernel: busybox, modules and scripts; made once per state of what is in it. */
export async function prepareInitramfs(kernel: Kernel, signal?: AbortSignal): Promise<string> {
  const busybox = findExecutable("busybox");
  if (busybox === undefined) throw new LabError("Cannot find busybox");
  const hash = createHash("sha256").update(`1\0${modules}\0${JSON.stringify(parameters)}`);
  hash.update(await readFile(busybox));
  for (const script of scripts)
    hash.update(`\0${script}\0`).update(await readFile(scriptPath(script)));
  const key = hash.digest("hex").slice(0, 16);
  const made = await cached(`${kernel.directory}.initramfs-${key}`, async (work) => {
    const root = join(work, "root");
    for (const folder of ["bin", "proc", "sys", "dev", "host", "upper", "new", "modules"]) {
      await mkdir(join(root, folder), { recursive: true });
    }
    await copyFile(busybox, join(root, "bin/busybox"));
    await copyFile(scriptPath("init.sh"), join(root, "init"));
    await copyFile(scriptPath("run.sh"), join(root, "run.sh"));
    await chmod(join(root, "init"), 0o755);
    await addModules(kernel, join(root, "modules"), signal);
    // Uncompressed: unpacking costs an emulated processor more than reading does.
    await tool("sh", ["-c", "find . | cpio --quiet -o -H newc > ../initramfs"], {
      cwd: root,
      signal,
    });
    await rm(root, { recursive: true });
  });
  return join(made, "initramfs");
}

async function addModules(kernel: Kernel, folder: string, signal?: AbortSignal): Promise<void> {
  const order: string[] = [];
  for (const name of modules.trim().split(/\s+/u)) {
    const lines = await tool(
      "modprobe",
      ["-d", join(kernel.directory, "root"), "-S", kernel.release, "--show-depends", name],
      { signal },
    );
    for (const [, source = ""] of lines.matchAll(/^insmod (\S+)/gmu)) {
      const file = basename(source, ".xz");
      if (order.some((line) => line.split(" ", 1)[0] === file)) continue;
      await copyModule(source, join(folder, file));
      const parameter = parameters[file.replace(/\.ko$/u, "").replaceAll("-", "_")];
      order.push(parameter === undefined ? file : `${file} ${parameter}`);
    }
  }
  await writeFile(join(folder, "order"), `${order.join("\n")}\n`);
}

function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
