import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { homePaths, openHome } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { VmManager, cloudHypervisorDriver, qemuDriver, silentLogger } from "@virga/vm";
import type { HypervisorName } from "@virga/vm";
import type { Access } from "../src/life/access.ts";
import { Catalog } from "../src/catalog/catalog.ts";
import { TemplateStore } from "../src/templates/template-store.ts";

/** Where a host on a fake hypervisor is, and what it runs. Can be handed to another process. */
export interface FakeHostOptions {
  /** `VIRGA_HOME`. */
  readonly directory: string;
  readonly hypervisor: HypervisorName;
  /** The fake. */
  readonly binary: string;
  readonly launcher: string;
}

/** A machine as a place for sandboxes whose only hypervisor is a fake, with a kernel and an initramfs that are names only. */
export async function fakeHost(options: FakeHostOptions): Promise<Host & Access> {
  const { directory, hypervisor, binary, launcher } = options;
  const home = await openHome(homePaths({ env: { VIRGA_HOME: directory }, uid: 0, userHome: "/" }));
  const [kernel, initramfs] = [join(directory, "vmlinux"), join(directory, "initramfs.cpio")];
  for (const path of [kernel, initramfs]) writeFileSync(path, "");
  const manager = new VmManager({
    directory: home.vms,
    launcher,
    drivers: [cloudHypervisorDriver, qemuDriver()],
    isolation: "off",
  });
  const host = {
    home,
    manager,
    logger: silentLogger,
    onProgress: () => undefined,
    guestTimeoutMs: undefined,
    catalog: Catalog.open(home.catalog),
    assets: { kernel, kernelId: "k", kernelRelease: "6", initramfs, initramfsHash: "i", launcher },
    templates: new TemplateStore({
      directory: home.templates,
      limitBytes: 2 ** 40,
      inUse: async () => new Set(),
    }),
    choose: () => ({
      name: hypervisor,
      accelerator: hypervisor === "qemu" ? "tcg" : "kvm",
      version: hypervisor === "qemu" ? "7.2.22" : "53.0.0",
      binary,
      mapsReadOnly: false,
      usable: true,
      reason: "it is a fake",
    }),
    host: async (): Promise<Host> => host,
  } as unknown as Host & Access;
  return host;
}
