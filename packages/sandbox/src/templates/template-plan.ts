import { hostCpu } from "@virga/vm";
import type { HypervisorProbe, VmConfig } from "@virga/vm";
import type { Host } from "../host.ts";
import type { Image } from "../images/image.ts";
import type { NetworkChoice } from "../network/guest-network.ts";
import { diskWords } from "../sandbox-disks.ts";
import { decideRestore } from "./restore-rule.ts";
import type { RestoreDecision } from "./restore-rule.ts";
import { templateKey } from "./template-key.ts";
import type { TemplateParts } from "./template-key.ts";
import type { WarmUp } from "./warm-up.ts";

/** Fewer messages on the console: each byte of it costs an exit from the guest. Panics are shown all the same. */
const KERNEL_ARGUMENTS = ["quiet"] as const;

/** A busy host, or an emulated one, may take long to start a hypervisor; one that is thrown away need not end gently. */
export const VM_TIMEOUTS = {
  launchMs: 30_000,
  callMs: 30_000,
  shutdownMs: 2_000,
  terminateMs: 2_000,
} as const;

/** What kind of sandbox is wanted. */
export interface SandboxShape {
  readonly image: Image;
  /** Size of the writable disk, for an image that has a base disk. */
  readonly diskMib: number;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly hypervisor: HypervisorProbe;
  /** Default `none`. */
  readonly network?: NetworkChoice;
  /** Default false. */
  readonly balloon?: boolean;
  readonly warm?: WarmUp | undefined;
}

/** How sandboxes of one shape are made on this host. */
export interface TemplatePlan {
  readonly key: string;
  readonly parts: TemplateParts;
  readonly restore: RestoreDecision;
  /** What the disks are made of; undefined for an image without a base disk. */
  readonly disks: { readonly base: string; readonly diskMib: number } | undefined;
  readonly network: NetworkChoice;
  readonly image: Image;
  readonly warm: WarmUp | undefined;
  /** To boot one, but for its disks and its card: the template, or a sandbox without a template. */
  readonly boot: Omit<VmConfig, "sandboxId">;
  /** To restore one from the template, but for its disks and its card. */
  readonly clone: Omit<VmConfig, "sandboxId">;
}

/** Plans the template of a shape: its key, and the configurations of the VM it is made in and of its clones. */
export async function planTemplate(host: Host, shape: SandboxShape): Promise<TemplatePlan> {
  const { image, vcpus, memoryMib, hypervisor, network = "none" } = shape;
  const disks = image.disk === undefined ? undefined : { base: image.disk, diskMib: shape.diskMib };
  const kernelArguments = [...KERNEL_ARGUMENTS, ...(disks === undefined ? [] : diskWords)];
  const { assets, manager } = host;
  const { name, version, binary, accelerator } = hypervisor;
  const hypervisorVersion = version ?? "unknown";
  const { balloon = false, warm } = shape;
  // There is no jail yet: VMMs run as the user who owns the templates.
  const restore = decideRestore({
    hypervisor: name,
    mapsReadOnly: hypervisor.mapsReadOnly === true,
    jailed: false,
    balloon,
  });
  const { isolated } = await manager.isolation();
  const parts: TemplateParts = {
    image: image.identity,
    diskMib: disks?.diskMib ?? null,
    kernel: assets.kernelId,
    initramfs: assets.initramfsHash,
    kernelArguments,
    vcpus,
    memoryMib,
    memoryForm: restore.memoryForm,
    balloon,
    network,
    warm: warm ?? null,
    hypervisor: name,
    hypervisorVersion,
    accelerator,
    cpu: accelerator === "kvm" ? hostCpu() : null,
    isolated,
  };
  const key = templateKey(parts);
  const common = {
    templateId: key,
    hypervisor: name,
    ...(binary !== null && { binary }),
    vcpus,
    memoryMib,
    memoryForm: restore.memoryForm,
    balloon,
    timeouts: VM_TIMEOUTS,
  };
  return {
    key,
    parts,
    restore,
    disks,
    network,
    image,
    warm,
    boot: {
      ...common,
      kernel: assets.kernel,
      initramfs: assets.initramfs,
      kernelArguments,
    },
    clone: { ...common, restoreMode: restore.mode },
  };
}
