import type { HypervisorName } from "@virga/vm";
import type { Bench } from "./bench.ts";
import { commandStart } from "./benches/command-start.ts";
import { launcherSpawn } from "./benches/launcher-spawn.ts";
import { managerHeap } from "./benches/manager-heap.ts";

const hypervisors: readonly string[] = ["qemu", "cloud-hypervisor"] satisfies HypervisorName[];

/** Whether it is the name of a hypervisor. */
export function isHypervisor(name: string): name is HypervisorName {
  return hypervisors.includes(name);
}

/** Every bench, those of VMs on the given hypervisor. */
export function benchesFor(_hypervisor: HypervisorName): Bench[] {
  return [launcherSpawn, commandStart, managerHeap];
}
