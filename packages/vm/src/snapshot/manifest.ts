import type { HypervisorName } from "../config/vm-config.ts";
import type { KernelIdentity } from "../kernel-identity.ts";

/** Name of the manifest inside a snapshot directory. */
export const MANIFEST_FILE = "manifest.json";

/** Version of the manifest's form. */
export const MANIFEST_FORMAT = 1;

/** How a snapshot holds the guest's memory. */
export interface SnapshotMemory {
  /** `ranges`: a dense file only the hypervisor reads (Cloud Hypervisor's `memory-ranges`). `file`: a memory file that clones can map. */
  readonly form: "ranges" | "file";
  /** File name inside the snapshot. */
  readonly file: string;
  /** Guest memory in bytes. */
  readonly bytes: number;
  /** Why the VM stood still for all its memory and not for what it had changed only; absent where the latter was possible. */
  readonly wholeBecause?: string;
}

/** One file of a snapshot. Small files carry their SHA-256; gigabytes are not hashed on the way to a restore. */
export interface SnapshotFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256?: string;
}

/** What must agree between a snapshot and the configuration of a clone. */
export interface SnapshotShape {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly balloon: boolean;
  readonly guestChannel: boolean;
  readonly console: boolean;
  /** MAC of the network card; null without one. */
  readonly mac: string | null;
  /** Name of its TAP device; null where it is a socket, or where there is no card. */
  readonly tap: string | null;
  /** Whether the recorded paths are the fixed ones: then any clone with a mount namespace can use them. */
  readonly isolated: boolean;
  readonly disks: readonly {
    readonly id: string;
    readonly readonly: boolean;
    readonly bytes: number;
  }[];
}

/** `manifest.json` of a snapshot: what it is, and what a restore must check before a VMM is started. */
export interface SnapshotManifest {
  readonly format: typeof MANIFEST_FORMAT;
  readonly createdAt: string;
  readonly hypervisor: HypervisorName;
  readonly hypervisorVersion: string;
  readonly accelerator: "kvm" | "tcg";
  readonly architecture: string;
  readonly cpuModel: string;
  readonly sandboxId: string;
  readonly templateId: string | null;
  /** The kernel in the guest, as it was when the VM booted, or the first VM that this one descends from; absent where it is not known. */
  readonly kernel?: KernelIdentity;
  /** Snapshot the VM itself had been restored from. */
  readonly parent: string | null;
  readonly shape: SnapshotShape;
  readonly memory: SnapshotMemory;
  readonly files: readonly SnapshotFile[];
}
