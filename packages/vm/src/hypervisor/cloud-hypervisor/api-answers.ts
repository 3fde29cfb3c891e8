import { VirgaError } from "../../errors.ts";
import type { VmmInfo, VmmState } from "../port.ts";
import type { SnapshotConfig } from "./snapshot-config.ts";

const STATES: ReadonlyMap<string, VmmState> = new Map([
  // After a shutdown the VM is dropped and only its configuration is left.
  ["Created", "created"],
  ["Shutdown", "created"],
  ["Running", "running"],
  ["Paused", "paused"],
]);

/** Reads the answer to `vmm.ping`. */
export function parseIdentity(value: unknown): { readonly pid: number; readonly version: string } {
  if (isObject(value)) {
    const { build_version: version, pid } = value;
    if (
      typeof version === "string" &&
      typeof pid === "number" &&
      Number.isSafeInteger(pid) &&
      pid > 0
    ) {
      return { pid, version };
    }
  }
  throw notUnderstood("vmm.ping", "there is no version or no pid in it");
}

/** Reads the answer to `vm.info`. A state of a later release is `unknown`. */
export function parseInfo(value: unknown): VmmInfo {
  if (!isObject(value) || typeof value["state"] !== "string") {
    throw notUnderstood("vm.info", "there is no state in it");
  }
  const memory = value["memory_actual_size"];
  return {
    state: STATES.get(value["state"]) ?? "unknown",
    ...(typeof memory === "number" &&
      Number.isSafeInteger(memory) && { memoryActualBytes: memory }),
  };
}

/** Reads the VM's configuration from the answer to `vm.info`. */
export function parseInfoConfig(value: unknown): SnapshotConfig {
  if (!isObject(value) || !isObject(value["config"])) {
    throw notUnderstood("vm.info", "there is no configuration in it");
  }
  return value["config"];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notUnderstood(call: string, why: string): VirgaError {
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Cannot understand Cloud Hypervisor's answer to ${call}: ${why}`,
    { details: { call } },
  );
}
