import type { HypervisorName, RestoreMode } from "@virga/vm";
import type { Bench } from "./bench.ts";
import { commandStart } from "./benches/command-start.ts";
import { launcherSpawn } from "./benches/launcher-spawn.ts";
import { managerHeap } from "./benches/manager-heap.ts";
import { sandboxCreate } from "./benches/sandbox-create.ts";
import { sandboxMemory } from "./benches/sandbox-memory.ts";
import { runProcess } from "./benches/run-process.ts";
import { vmBoot } from "./benches/vm-boot.ts";
import { vmClone } from "./benches/vm-clone.ts";
import { vmDeath } from "./benches/vm-death.ts";
import { vmExec } from "./benches/vm-exec.ts";
import { vmFork } from "./benches/vm-fork.ts";
import { vmMemory } from "./benches/vm-memory.ts";
import { vmOperations } from "./benches/vm-operations.ts";
import { vmThroughput } from "./benches/vm-throughput.ts";
import { vmSnapshot } from "./benches/vm-snapshot.ts";

const hypervisors: readonly string[] = ["qemu", "cloud-hypervisor"] satisfies HypervisorName[];

const cloneModes: Readonly<Record<HypervisorName, readonly RestoreMode[]>> = {
  qemu: ["shared", "copy"],
  "cloud-hypervisor": ["shared", "on-demand", "copy"],
};

/** In the lab the emulated machine would be busy with one of the larger ones for an hour. */
const createsAtOnce: Readonly<Record<HypervisorName, readonly number[]>> = {
  qemu: [1, 8, 32],
  "cloud-hypervisor": [1],
};

/** Whether it is the name of a hypervisor. */
export function isHypervisor(name: string): name is HypervisorName {
  return hypervisors.includes(name);
}

/** Every bench, those of VMs on the given hypervisor. */
export function benchesFor(hypervisor: HypervisorName): Bench[] {
  return [
    launcherSpawn,
    commandStart,
    managerHeap,
    runProcess(hypervisor),
    vmBoot(hypervisor),
    vmOperations(hypervisor),
    vmExec(hypervisor),
    vmThroughput(hypervisor),
    vmDeath(hypervisor),
    vmSnapshot(hypervisor),
    vmFork(hypervisor),
    ...cloneModes[hypervisor].map((mode) => vmClone(hypervisor, mode)),
    ...cloneModes[hypervisor].map((mode) => vmMemory(hypervisor, mode)),
    ...createsAtOnce[hypervisor].map((count) => sandboxCreate(hypervisor, count)),
    sandboxMemory(hypervisor),
  ];
}
