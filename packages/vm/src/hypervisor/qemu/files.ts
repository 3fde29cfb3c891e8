import { join } from "node:path";
import type { RunPaths } from "../../directory.ts";

/** Ports of the guest channel: at most 30 work on a virtio-serial device of 17 ports' control queue, 16 are enough. */
export const GUEST_PORTS = 16;

/** Name of the device state inside a snapshot. */
export const DEVICES_FILE = "devices";

/** Name of the guest's memory inside a snapshot. */
export const MEMORY_FILE = "memory";

/** Socket of guest port `port`, `0` … `15`. */
export function portSocket(paths: RunPaths, port: number): string {
  return join(paths.ports, `${port}.sock`);
}
