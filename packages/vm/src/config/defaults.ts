import { delimiter, isAbsolute, join, resolve } from "node:path";
import { accessSync, constants, statSync } from "node:fs";
import { DEFAULT_SOCKET_NAME } from "../directory.ts";
import { VirgaError } from "../errors.ts";
import type {
  HypervisorName,
  NetworkConfig,
  ResolvedNetwork,
  ResolvedVmConfig,
  TimeoutConfig,
  VmConfig,
} from "./vm-config.ts";

/** Deadlines where the configuration names none. The first, `shutdownMs` and `terminateMs` are the seed's. */
export const DEFAULT_TIMEOUTS: Required<TimeoutConfig> = {
  launchMs: 5_000,
  callMs: 10_000,
  longCallMs: 120_000,
  shutdownMs: 5_000,
  terminateMs: 10_000,
  lockMs: 10_000,
};

/** Values where the configuration has none. */
export const DEFAULTS = { vcpus: 1, memoryMib: 512 } as const;

/** What defaults depend on beside the configuration. */
export interface DefaultsContext {
  /** Directory below which VMs have their directories. */
  readonly directory: string;
  /** Whether VMMs get namespaces of their own. */
  readonly isolated: boolean;
}

/** Applies every default. The configuration must be valid. */
export function applyDefaults(config: VmConfig, context: DefaultsContext): ResolvedVmConfig {
  const hypervisor = config.hypervisor ?? "cloud-hypervisor";
  const memoryForm = config.memoryForm ?? "anonymous";
  const rootfs =
    config.rootfs === undefined
      ? []
      : [{ id: "rootfs", path: config.rootfs.path, readonly: config.rootfs.readonly ?? false }];
  const disks = (config.disks ?? []).map((disk) => ({
    id: disk.id,
    path: disk.path,
    readonly: disk.readonly ?? false,
  }));
  const restoreMode =
    config.restoreMode ?? (hypervisor === "cloud-hypervisor" ? "on-demand" : "copy");
  return {
    sandboxId: config.sandboxId,
    templateId: config.templateId,
    hypervisor,
    binary: config.binary ?? findHypervisor(hypervisor),
    kernel: config.kernel,
    initramfs: config.initramfs,
    disks: [...rootfs, ...disks],
    vcpus: config.vcpus ?? DEFAULTS.vcpus,
    memoryMib: config.memoryMib ?? DEFAULTS.memoryMib,
    memoryForm,
    networkNamespace: namespacePath(config.networkNamespace, context.isolated),
    network: config.network && resolveNetwork(config.network),
    kernelArguments: config.kernelArguments ?? [],
    initPath: config.initPath,
    socketName: config.socketPath ?? DEFAULT_SOCKET_NAME,
    vmDirectory: config.vmDirectory ?? join(context.directory, config.sandboxId),
    snapshotDirectory: config.snapshotDirectory,
    guestChannel: config.guestChannel ?? true,
    balloon:
      config.balloon ??
      (hypervisor === "cloud-hypervisor" && memoryForm === "anonymous" && restoreMode !== "shared"),
    console: config.console ?? true,
    restoreMode,
    timeouts: { ...DEFAULT_TIMEOUTS, ...config.timeouts },
  };
}

function resolveNetwork({ tap, socket, ...rest }: NetworkConfig): ResolvedNetwork {
  return socket === undefined ? { ...rest, tap: tap ?? "tap0" } : { ...rest, socket };
}

function namespacePath(name: string | undefined, isolated: boolean): string {
  if (name === undefined) return isolated ? "new" : "none";
  return isAbsolute(name) ? name : join("/run/netns", name);
}

const BINARIES: Readonly<
  Record<
    HypervisorName,
    { readonly variable: string; readonly names: readonly string[]; readonly hint: string }
  >
> = {
  "cloud-hypervisor": {
    variable: "VIRGA_CLOUD_HYPERVISOR",
    names: ["cloud-hypervisor", "cloud-hypervisor-static"],
    hint: "Install Cloud Hypervisor 53 or newer from its release page, or name it by VIRGA_CLOUD_HYPERVISOR.",
  },
  qemu: {
    variable: "VIRGA_QEMU",
    names: ["qemu-system-x86_64"],
    hint: "Install the package qemu-system-x86, or name the binary by VIRGA_QEMU.",
  },
};

/** Path of a hypervisor's binary: the one its environment variable names, else the first on PATH. `HYPERVISOR_MISSING` where there is none. */
export function findHypervisor(name: HypervisorName): string {
  const { variable, names, hint } = BINARIES[name];
  const named = process.env[variable];
  // The launcher works in another directory, where a relative path would lead elsewhere.
  if (named !== undefined && named !== "") return resolve(named);
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    for (const file of names) {
      const path = join(directory, file);
      if (isAbsolute(path) && isExecutable(path)) return path;
    }
  }
  throw new VirgaError("HYPERVISOR_MISSING", `Hypervisor ${name} is not on PATH`, {
    details: { hypervisor: name, variable },
    hint,
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
