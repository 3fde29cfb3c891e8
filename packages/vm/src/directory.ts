import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ConfigProblem } from "./config/problem.ts";
import { errnoOf, isVirgaError } from "./errors.ts";

/** Where a VM's directory appears inside its mount namespace, the same for every VM, so that paths in a snapshot hold for every clone. */
export const FIXED_VM_PATH = "/run/virga/vm";

/** Longest path of a Unix socket, without its terminating zero (`sockaddr_un`). */
const MAX_SOCKET_PATH_BYTES = 107;

/** Name of the control socket, where the configuration has none. */
export const DEFAULT_SOCKET_NAME = "api.sock";

/** Names inside the host-only directory (mode 0700, never seen by the VMM). */
const HOST_FILES = {
  record: "vm.json",
  lock: "lock.db",
  destroying: "destroying",
  paused: "paused",
  intent: "intent.json",
  portLocks: "ports",
  base: "base",
  run: "run",
} as const;

/** Names inside the VMM's directory, which is bound on {@link FIXED_VM_PATH}. */
const RUN_FILES = {
  vsock: "v.sock",
  qmpOperations: "qmp0.sock",
  qmpReads: "qmp1.sock",
  incoming: "in.sock",
  network: "net.sock",
  ports: "ports",
  disks: "disks",
  rootfs: "rootfs.ext4",
  kernel: "kernel",
  initramfs: "initramfs",
  memory: "memory",
  snapshot: "snapshot",
  restore: "restore",
  out: "out",
  console: "console.log",
  events: "events.json",
  log: "vmm.log",
  pid: "pid",
} as const;

/** The VMM's directory seen from one side: the host's, or inside the VM's mount namespace. */
export interface RunPaths {
  readonly directory: string;
  readonly api: string;
  readonly vsock: string;
  readonly qmpOperations: string;
  readonly qmpReads: string;
  /** Socket on which QEMU waits for the device state of a restore. */
  readonly incoming: string;
  /** Socket that takes up the frames of the guest's network card, where that is no TAP device. */
  readonly network: string;
  /** Directory of the guest channel's sockets on QEMU: `0.sock` … `15.sock`. */
  readonly ports: string;
  readonly disks: string;
  readonly kernel: string;
  readonly initramfs: string;
  /** The VM's own memory file (memory form `file`). */
  readonly memory: string;
  /** The snapshot a clone is restored from (read-only). */
  readonly snapshot: string;
  /** Directory with an edited configuration, for clones on Cloud Hypervisor that cannot use the snapshot's. */
  readonly restore: string;
  /** Where the VMM writes a snapshot before the manager publishes it. */
  readonly out: string;
  readonly console: string;
  readonly events: string;
  readonly log: string;
  /** Where QEMU writes its process id. */
  readonly pid: string;
  disk(id: string): string;
}

/** Every file of one VM. */
export interface VmLayout {
  /** The host-only directory. */
  readonly directory: string;
  readonly record: string;
  readonly lock: string;
  readonly destroying: string;
  /** Tells whether the last operation left the VM paused. */
  readonly paused: string;
  readonly intent: string;
  readonly portLocks: string;
  /** Copy of the memory file this VM maps, made ahead for its next snapshot. */
  readonly base: string;
  /** As the manager sees the VMM's directory. */
  readonly host: RunPaths;
  /** As the VMM sees it: the fixed path when it has a mount namespace of its own, else the same as `host`. */
  readonly inside: RunPaths;
  /** Whether the VMM has a mount namespace of its own. */
  readonly isolated: boolean;
}

/** Where a VM's directory holds its record. */
export function recordPath(directory: string): string {
  return join(directory, HOST_FILES.record);
}

/** Where a VM's directory tells whether the VM is paused. */
export function pausedMark(directory: string): string {
  return join(directory, HOST_FILES.paused);
}

function runPaths(directory: string, socketName: string): RunPaths {
  const at = (name: string): string => join(directory, name);
  return {
    directory,
    api: at(socketName),
    vsock: at(RUN_FILES.vsock),
    qmpOperations: at(RUN_FILES.qmpOperations),
    qmpReads: at(RUN_FILES.qmpReads),
    incoming: at(RUN_FILES.incoming),
    network: at(RUN_FILES.network),
    ports: at(RUN_FILES.ports),
    disks: at(RUN_FILES.disks),
    kernel: at(RUN_FILES.kernel),
    initramfs: at(RUN_FILES.initramfs),
    memory: at(RUN_FILES.memory),
    snapshot: at(RUN_FILES.snapshot),
    restore: at(RUN_FILES.restore),
    out: at(RUN_FILES.out),
    console: at(RUN_FILES.console),
    events: at(RUN_FILES.events),
    log: at(RUN_FILES.log),
    pid: at(RUN_FILES.pid),
    disk: (id) => (id === "rootfs" ? at(RUN_FILES.rootfs) : join(directory, RUN_FILES.disks, id)),
  };
}

/** Whether the control socket may have this name: a plain one that no other file in the VMM's directory has. */
export function isSocketName(name: unknown): boolean {
  if (typeof name !== "string" || !/^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,31}$/u.test(name)) return false;
  const taken: readonly string[] = Object.values(RUN_FILES);
  // Cloud Hypervisor listens on `v.sock_PORT` for connections that a guest opens.
  return !name.includes("..") && !taken.includes(name) && !name.startsWith(`${RUN_FILES.vsock}_`);
}

/** The layout of the VM whose host-only directory is `directory`. */
export function vmLayout(directory: string, socketName: string, isolated: boolean): VmLayout {
  const host = runPaths(join(directory, HOST_FILES.run), socketName);
  return {
    directory,
    record: recordPath(directory),
    lock: join(directory, HOST_FILES.lock),
    destroying: join(directory, HOST_FILES.destroying),
    paused: pausedMark(directory),
    intent: join(directory, HOST_FILES.intent),
    portLocks: join(directory, HOST_FILES.portLocks),
    base: join(directory, HOST_FILES.base),
    host,
    inside: isolated ? runPaths(FIXED_VM_PATH, socketName) : host,
    isolated,
  };
}

/** What is wrong with a VM's directory where one of its sockets, the longest suffix included, does not fit into a socket address. */
export function socketProblem(
  directory: string,
  socketName: string = DEFAULT_SOCKET_NAME,
): ConfigProblem | undefined {
  const { host } = vmLayout(directory, socketName, false);
  // Cloud Hypervisor makes `<vsock>_<port>` for connections that the guest opens.
  const paths = [`${host.vsock}_4294967295`, host.api, host.qmpReads, join(host.ports, "15.sock")];
  const bytes = Math.max(...paths.map((path) => Buffer.byteLength(path)));
  if (bytes <= MAX_SOCKET_PATH_BYTES) return undefined;
  const excess = bytes - MAX_SOCKET_PATH_BYTES;
  return {
    path: "vmDirectory",
    value: directory,
    allowed: `a directory whose path is shorter by ${excess}: a socket in it would have a path of ${bytes} bytes, at most ${MAX_SOCKET_PATH_BYTES} are possible`,
  };
}

const OURS = new Set<string>(Object.values(HOST_FILES));

/** Whether a name in a VM's host-only directory is one of ours. Others are never touched. */
export function isVmFile(name: string): boolean {
  // SQLite and atomic writes put their own files beside those of these names.
  return OURS.has(name) || /^(?:vm\.json|intent\.json|lock\.db|base)[.-]/u.test(name);
}

/** Names in a VM's directory that are not ours: a directory with any is never claimed, cleared or removed. */
export async function foreignEntries(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => !isVmFile(name));
}

/** Whether an error says that a VM's directory was removed while it was looked at. */
export function hasVanished(error: unknown): boolean {
  return errnoOf(error) === "ENOENT" || (isVirgaError(error) && error.code === "VM_DESTROYED");
}
