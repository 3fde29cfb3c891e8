import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FIXED_VM_PATH, type Vm } from "@virga/vm";
import { restCall } from "./rest.ts";

/** How Virga started a VM, so that the same can be started by hand. */
export interface Blueprint {
  readonly argv: readonly string[];
  /** Cloud Hypervisor: the VM's configuration. */
  readonly body?: unknown;
}

/** Reads the blueprint of a running VM from its process; `directory` stands in it for the VMM's own directory. */
export async function blueprintOf(vm: Vm, isolated: boolean): Promise<Blueprint> {
  const host = join(vm.config.vmDirectory, "run");
  const argv = readFileSync(`/proc/${vm.pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  const info =
    vm.config.hypervisor === "qemu"
      ? undefined
      : await restCall(join(host, vm.config.socketName), "GET", "vm.info");
  const body: unknown = Object(info)["config"];
  return rename(
    { argv, ...(body !== undefined && { body }) },
    isolated ? FIXED_VM_PATH : host,
    PLACE,
  );
}

/** The blueprint for a VM in this directory. */
export function inDirectory(blueprint: Blueprint, directory: string): Blueprint {
  return rename(blueprint, PLACE, directory);
}

const PLACE = "@directory@";

function rename(blueprint: Blueprint, from: string, to: string): Blueprint {
  return JSON.parse(JSON.stringify(blueprint).replaceAll(from, to));
}
