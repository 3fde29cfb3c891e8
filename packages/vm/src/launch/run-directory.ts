import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ResolvedVmConfig } from "../config/vm-config.ts";
import type { RunPaths, VmLayout } from "../directory.ts";
import type { BindMount } from "./launcher.ts";

interface Import {
  readonly source: string;
  /** Where it appears, as a function of the side it is seen from. */
  readonly at: (paths: RunPaths) => string;
  readonly readonly: boolean;
  readonly directory: boolean;
}

/** Everything from outside that the VMM uses through its own directory. */
function imports(
  config: ResolvedVmConfig,
  snapshot: { readonly directory: string; readonly writable: boolean } | undefined,
): Import[] {
  const list: Import[] = [];
  const { kernel, initramfs } = config;
  if (kernel !== undefined)
    list.push({ source: kernel, at: (paths) => paths.kernel, readonly: true, directory: false });
  if (initramfs !== undefined)
    list.push({
      source: initramfs,
      at: (paths) => paths.initramfs,
      readonly: true,
      directory: false,
    });
  for (const disk of config.disks)
    list.push({
      source: disk.path,
      at: (paths) => paths.disk(disk.id),
      readonly: disk.readonly,
      directory: false,
    });
  if (config.network?.socket !== undefined)
    list.push({
      source: config.network.socket,
      at: (paths) => paths.network,
      readonly: false,
      directory: false,
    });
  if (snapshot !== undefined)
    list.push({
      source: snapshot.directory,
      at: (paths) => paths.snapshot,
      readonly: !snapshot.writable,
      directory: true,
    });
  return list;
}

/**
 * Makes the VMM's directory: mount points for what is bound into it, or, without a mount namespace, links. Returns the binds for the launcher.
 * The directory itself comes first, on the fixed path; the rest is bound inside it.
 */
export async function makeRunDirectory(
  layout: VmLayout,
  config: ResolvedVmConfig,
  snapshot: { readonly directory: string; readonly writable: boolean } | undefined,
): Promise<BindMount[]> {
  const { host, inside } = layout;
  for (const directory of [host.directory, host.disks, host.ports, host.out, layout.portLocks]) {
    await mkdir(directory, { mode: 0o700 });
  }
  const binds: BindMount[] = [
    { source: host.directory, target: inside.directory, readonly: false },
  ];
  for (const item of imports(config, snapshot)) {
    const path = item.at(host);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (!layout.isolated) await symlink(item.source, path);
    else if (item.directory) await mkdir(path, { mode: 0o700 });
    else await writeFile(path, "", { mode: 0o600 });
    binds.push({ source: item.source, target: item.at(inside), readonly: item.readonly });
  }
  return layout.isolated ? binds : [];
}
