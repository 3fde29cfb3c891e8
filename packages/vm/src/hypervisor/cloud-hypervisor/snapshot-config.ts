import type { RunPaths } from "../../directory.ts";
import { VirgaError, errorText } from "../../errors.ts";
import { diskDeviceId } from "./vm-config-json.ts";

/** `config.json` of a snapshot: Cloud Hypervisor's own `VmConfig`, of which only paths are looked at. */
export type SnapshotConfig = Readonly<Record<string, unknown>>;

/** Where a snapshot's configuration finds its memory: a file that is mapped, or none (`memory-ranges` beside it is read). */
export interface MemoryFile {
  readonly file: string;
  /** Whether what the guest writes goes into the file. */
  readonly shared: boolean;
}

/** Parses `config.json`. `SNAPSHOT_INVALID` where it is none. */
export function parseSnapshotConfig(text: string): SnapshotConfig {
  try {
    const value: unknown = JSON.parse(text, refuseInexact);
    if (isObject(value)) return value;
  } catch (error) {
    throw invalid(errorText(error), error);
  }
  throw invalid("it is no object");
}

/** A number that JavaScript would round must not be written back. */
function refuseInexact(_key: string, value: unknown): unknown {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError(`number ${value} is too large to be kept`);
  }
  return value;
}

/** The file the guest's memory is mapped from, if any. */
export function memoryFileOf(config: SnapshotConfig): MemoryFile | undefined {
  const zone = onlyZone(config);
  if (zone === undefined || typeof zone["file"] !== "string") return undefined;
  return { file: zone["file"], shared: zone["shared"] === true };
}

/**
 * The same configuration with every path below `paths`, and its memory at `memory` (undefined: in no file). The initramfs is left out: Cloud Hypervisor
 * would open it again, and a restored guest never reads it.
 */
export function retargetConfig(
  config: SnapshotConfig,
  paths: Pick<RunPaths, "kernel" | "vsock">,
  diskPath: (deviceId: string) => string,
  memory: MemoryFile | undefined,
): SnapshotConfig {
  const result: Record<string, unknown> = {
    ...config,
    payload: { ...payloadOf(config), kernel: paths.kernel },
  };
  delete (result["payload"] as Record<string, unknown>)["initramfs"];
  if (Array.isArray(config["disks"])) {
    result["disks"] = config["disks"].map((disk: unknown) => {
      if (!isObject(disk) || typeof disk["id"] !== "string") throw invalid("a disk has no id");
      return { ...disk, path: diskPath(disk["id"]) };
    });
  }
  if (isObject(config["vsock"])) result["vsock"] = { ...config["vsock"], socket: paths.vsock };
  if (isObject(config["console"]) && config["console"]["mode"] === "File") {
    // Of a snapshot that an earlier version published.
    const { file: _file, ...rest } = config["console"];
    result["console"] = { ...rest, mode: "Tty" };
  }
  const zone = onlyZone(config);
  if (zone !== undefined) {
    const { file: _file, shared: _shared, ...rest } = zone;
    const changed = memory === undefined ? { ...rest, shared: false } : { ...rest, ...memory };
    result["memory"] = { ...(config["memory"] as object), zones: [changed] };
  } else if (memory !== undefined) {
    throw invalid("its memory has no zone that a file could be given to");
  }
  return result;
}

/** Finds a disk's path by its device id among the VM's own disks. */
export function diskPaths(
  disks: readonly { readonly id: string }[],
  paths: Pick<RunPaths, "disk">,
): (deviceId: string) => string {
  const byDevice = new Map(disks.map((disk) => [diskDeviceId(disk.id), paths.disk(disk.id)]));
  return (deviceId) => {
    const path = byDevice.get(deviceId);
    if (path === undefined) throw invalid(`it has a disk ${deviceId} that the VM does not have`);
    return path;
  };
}

function payloadOf(config: SnapshotConfig): Record<string, unknown> {
  const payload = config["payload"];
  if (!isObject(payload)) throw invalid("it has no payload");
  return payload;
}

function onlyZone(config: SnapshotConfig): Record<string, unknown> | undefined {
  const memory = config["memory"];
  if (!isObject(memory)) throw invalid("it has no memory");
  const zones = memory["zones"] ?? [];
  if (!Array.isArray(zones) || zones.length > 1) throw invalid("its memory has more than one zone");
  const zone: unknown = zones[0];
  if (zone === undefined) return undefined;
  if (!isObject(zone)) throw invalid("its memory zone is no object");
  return zone;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(why: string, cause?: unknown): VirgaError {
  return new VirgaError("SNAPSHOT_INVALID", `Cannot use Cloud Hypervisor's config.json: ${why}`, {
    cause,
  });
}
