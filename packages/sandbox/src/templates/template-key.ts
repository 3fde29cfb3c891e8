import { createHash } from "node:crypto";
import type { HypervisorName, MemoryForm } from "@virga/vm";
import type { NetworkChoice } from "../network/guest-network.ts";

/** Version of what a template's snapshot expects of its clones: paths, devices, the agent's contract. Raised by whoever changes any of them. */
const LAYOUT_VERSION = 3;

/** Everything a template depends on. */
export interface TemplateParts {
  /** See {@link Image.identity}. */
  readonly image: string;
  /** Size of the writable disk; null where there is none. */
  readonly diskMib: number | null;
  /** Identity of the guest kernel. */
  readonly kernel: string;
  /** Hash of the initramfs, which holds agent and modules. */
  readonly initramfs: string;
  readonly kernelArguments: readonly string[];
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly memoryForm: MemoryForm;
  readonly balloon: boolean;
  /** What ran in it before it was taken. */
  readonly warm: { readonly command: readonly string[]; readonly keep: boolean } | null;
  /** Network backend: which card the guest has, if any. */
  readonly network: NetworkChoice;
  readonly hypervisor: HypervisorName;
  /** What the hypervisor's build calls itself. */
  readonly hypervisorVersion: string;
  readonly accelerator: "kvm" | "tcg";
  /** The host's processor, which the guest's state depends on; null for an emulated one. */
  readonly cpu: string | null;
  /** Whether VMMs have mount namespaces of their own, and so the fixed paths. */
  readonly isolated: boolean;
}

/** Names a template: the same for the same parts, whatever their order. 32 hexadecimal digits. */
export function templateKey(parts: TemplateParts): string {
  const lines = Object.entries({ layout: LAYOUT_VERSION, ...parts })
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .toSorted();
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 32);
}

/** Whether `text` has the form of a template's key. */
export function isTemplateKey(text: string): boolean {
  return /^[0-9a-f]{32}$/u.test(text);
}
