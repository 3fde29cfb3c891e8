/** The hypervisors Virga drives. */
export type HypervisorName = "cloud-hypervisor" | "qemu";

/**
 * How a VM comes back from a snapshot.
 * - `on-demand`: memory is filled lazily by userfaultfd while the guest runs (Cloud Hypervisor).
 * - `shared`: the snapshot's memory file is mapped privately: clones share every page they do not write.
 * - `copy`: the clone gets memory of its own before it runs.
 */
export type RestoreMode = "on-demand" | "shared" | "copy";

/** Where a VM's memory lives: `anonymous` memory of the VMM's own, or a `file` in the VM's directory, mapped shared (what templates boot on). */
export type MemoryForm = "anonymous" | "file";

/** A disk of a VM. Raw images only: their format is never guessed. */
export interface DiskConfig {
  /** Stable id, `[a-z0-9][a-z0-9-]{0,15}`; the guest sees it as the disk's serial number. */
  readonly id: string;
  /** Path of the image on the host. */
  readonly path: string;
  readonly readonly?: boolean;
}

/** The guest's network card: a TAP device that exists already, in the VM's network namespace, or a socket that carries its frames. */
export interface NetworkConfig {
  /** Name of the TAP device. Default `tap0`, without a socket. */
  readonly tap?: string;
  /** Path of a Unix stream socket on which somebody takes up the card's frames, each after its length in 4 bytes (QEMU only). Needs no namespace. */
  readonly socket?: string;
  /** The guest's MAC address. */
  readonly mac: string;
  /** Guest IPv4 address, given to the kernel as `ip=` when a gateway and mask are there too. */
  readonly guestAddress?: string;
  readonly gateway?: string;
  /** Netmask in dotted form, e.g. `255.255.255.0`. */
  readonly mask?: string;
}

/** A {@link NetworkConfig} with either a TAP device or a socket. */
export type ResolvedNetwork = Omit<NetworkConfig, "tap" | "socket"> &
  (
    | { readonly tap: string; readonly socket?: never }
    | { readonly tap?: never; readonly socket: string }
  );

/** Deadlines of the manager, in milliseconds. */
export interface TimeoutConfig {
  /** Process start until its control socket answers. Default 5,000. */
  readonly launchMs?: number;
  /** One quick control call (info, pause, resume, balloon), and the binary telling its version. Default 10,000. */
  readonly callMs?: number;
  /** One slow control call (boot, restore, snapshot). Default 120,000. */
  readonly longCallMs?: number;
  /** Orderly VMM shutdown before SIGTERM. Default 5,000. */
  readonly shutdownMs?: number;
  /** SIGTERM before SIGKILL. Default 10,000. */
  readonly terminateMs?: number;
  /** In destroy, with the VMM dead: another process's operation before it is given up on. Default 10,000. */
  readonly lockMs?: number;
}

/** Everything needed to start one VM: the seed's fields, and what both hypervisors need. */
export interface VmConfig {
  /** Id of the VM: `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly sandboxId: string;
  /** Id of the template it comes from; kept in the record, not interpreted. */
  readonly templateId?: string;
  /** Default `cloud-hypervisor`. */
  readonly hypervisor?: HypervisorName;
  /** Path of the VMM's binary. Default: found on PATH, or named by `VIRGA_CLOUD_HYPERVISOR` / `VIRGA_QEMU`. */
  readonly binary?: string;
  /** Kernel image on the host. Not needed to restore. */
  readonly kernel?: string;
  readonly initramfs?: string;
  /** Root disk: the first disk, known to the guest as `rootfs`. Given, `root=` is put on the kernel command line unless there is an initramfs. */
  readonly rootfs?: { readonly path: string; readonly readonly?: boolean };
  /** Further disks, after the root disk. */
  readonly disks?: readonly DiskConfig[];
  /** Default 1, at most 255. */
  readonly vcpus?: number;
  /** Default 512. */
  readonly memoryMib?: number;
  readonly memoryForm?: MemoryForm;
  /** Network namespace: a path, or a name below `/run/netns`. Default: a new empty one where the host allows it. */
  readonly networkNamespace?: string;
  readonly network?: NetworkConfig;
  /** Further words of the kernel command line. */
  readonly kernelArguments?: readonly string[];
  /** Program the guest's kernel starts (`init=`). */
  readonly initPath?: string;
  /** Name of the control socket inside the VM's directory. Default `api.sock`. */
  readonly socketPath?: string;
  /** The VM's directory. Default: `<manager's directory>/<sandboxId>`. */
  readonly vmDirectory?: string;
  /** Snapshot to restore from; set by `createFromSnapshot`. */
  readonly snapshotDirectory?: string;
  /** A channel to an agent in the guest. Default true. */
  readonly guestChannel?: boolean;
  /** A balloon device. Default true for anonymous memory on Cloud Hypervisor (as the seed), else false. */
  readonly balloon?: boolean;
  /** Keep the guest's console, its first 16 MiB, in `run/console.log` of the VM's directory, behind a hole: `readTail` reads it. Default true. */
  readonly console?: boolean;
  /** How to restore. Default `on-demand` on Cloud Hypervisor (as the seed), `copy` on QEMU. */
  readonly restoreMode?: RestoreMode;
  readonly timeouts?: TimeoutConfig;
}

/** A {@link VmConfig} with every default applied: what drivers, records and manifests work with. */
export interface ResolvedVmConfig {
  readonly sandboxId: string;
  readonly templateId: string | undefined;
  readonly hypervisor: HypervisorName;
  readonly binary: string;
  readonly kernel: string | undefined;
  readonly initramfs: string | undefined;
  /** All disks in device order; the root disk, if any, is the first and has the id `rootfs`. */
  readonly disks: readonly Required<DiskConfig>[];
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly memoryForm: MemoryForm;
  /** Path of a network namespace, `new` for an empty one, `none` to stay in the host's (only without privileges). */
  readonly networkNamespace: string;
  readonly network: ResolvedNetwork | undefined;
  readonly kernelArguments: readonly string[];
  readonly initPath: string | undefined;
  readonly socketName: string;
  readonly vmDirectory: string;
  readonly snapshotDirectory: string | undefined;
  readonly guestChannel: boolean;
  readonly balloon: boolean;
  readonly console: boolean;
  readonly restoreMode: RestoreMode;
  readonly timeouts: Required<TimeoutConfig>;
}
