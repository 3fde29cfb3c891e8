// The life of VMs on Cloud Hypervisor as an ordinary user. usage: rootless-life DIRECTORY, which holds kernel, initramfs and launcher. Prints what it found as JSON.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { askTestInit, patientTimeouts, testInitProbe as guest } from "@virga/testkit";
import { VmManager, cloudHypervisorDriver, isVirgaError } from "@virga/vm";
import type { RestoreMode, VmConfig } from "@virga/vm";

/** What the test checks. */
export interface RootlessFindings {
  readonly isolated: boolean;
  /** Code and sentence of a restore on demand, for which the user lacks userfaultfd. */
  readonly onDemand: readonly [string, string];
  readonly digests: Readonly<Record<string, string>>;
  /** Bytes that are allocated of the memory file a fork wrote. */
  readonly forkBytes: number;
}

const directory = process.argv[2] ?? "";
const manager = new VmManager({
  directory: join(directory, "vms"),
  launcher: join(directory, "launcher"),
  drivers: [cloudHypervisorDriver],
});

function config(sandboxId: string, more: Partial<VmConfig>): VmConfig {
  return {
    sandboxId,
    kernel: join(directory, "kernel"),
    initramfs: join(directory, "initramfs"),
    memoryMib: 128,
    balloon: false,
    timeouts: patientTimeouts,
    ...more,
  };
}

async function snapshot(id: string): Promise<string> {
  const destination = join(directory, `snapshot-of-${id}`);
  await manager.pause(id);
  await manager.snapshot(id, destination);
  await manager.resume(id);
  return destination;
}

async function recall(id: string, from: string, more: Partial<VmConfig>): Promise<string> {
  return guest.recall(await manager.createFromSnapshot(config(id, more), from));
}

async function refusal(from: string): Promise<[string, string]> {
  try {
    await manager.createFromSnapshot(config("lazy", { restoreMode: "on-demand" }), from);
    return ["none", "it was restored"];
  } catch (error) {
    if (!isVirgaError(error)) throw error;
    return [error.code, error.message];
  }
}

async function live(): Promise<RootlessFindings> {
  const { isolated } = await manager.isolation();
  const digests: Record<string, string> = {};
  digests["anonymous"] = await guest.remember(await manager.create(config("anonymous", {})), 1);
  const dense = await snapshot("anonymous");
  const onDemand = await refusal(dense);
  digests["copied"] = await recall("copied", dense, { restoreMode: "copy" });
  for (const vm of manager.list()) await vm.destroy();

  const mapped = { memoryForm: "file", restoreMode: "shared" as RestoreMode } as const;
  digests["template"] = await guest.remember(await manager.create(config("template", mapped)), 2);
  const first = await snapshot("template");
  digests["clone"] = await recall("clone", first, mapped);
  const clone = manager.get("clone");
  if (clone === undefined) throw new Error("the clone is gone");
  await askTestInit(clone, "touch", { mib: 1, seed: 3 });
  digests["changed"] = await guest.recall(clone);
  const second = await snapshot("clone");
  digests["fork"] = await recall("fork", second, mapped);
  const { blocks } = await stat(join(second, "memory"));
  return { isolated, onDemand, digests, forkBytes: blocks * 512 };
}

try {
  process.stdout.write(`${JSON.stringify(await live())}\n`);
} finally {
  for (const vm of manager.list()) await vm.destroy();
}
