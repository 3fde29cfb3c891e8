import { readSnapshot } from "@virga/vm";
import type { Vm, VmConfig } from "@virga/vm";
import { serveNetwork } from "../guest/boot-guest.ts";
import type { SandboxSpec } from "../catalog/rows.ts";
import type { Host } from "../host.ts";
import { findImage } from "../images/image.ts";
import { networkCard } from "../network/guest-network.ts";
import { disksOf, upperPath } from "../sandbox-disks.ts";
import { decideRestore } from "../templates/restore-rule.ts";
import { VM_TIMEOUTS } from "../templates/template-plan.ts";

/** What to restore. */
export interface RestoreVmOptions {
  readonly host: Host;
  readonly id: string;
  readonly spec: SandboxSpec;
  /** The published snapshot of its memory. Its disk, where it has one, is at its place already. */
  readonly snapshotDirectory: string;
  readonly signal: AbortSignal | undefined;
}

/** Restores the VM of a sandbox from a snapshot of a sandbox, by the rule for snapshots of that form. What was frozen in it is frozen still. */
export async function restoreVm(options: RestoreVmOptions): Promise<Vm> {
  const { host, id, spec, snapshotDirectory, signal } = options;
  const { memory, templateId } = await readSnapshot(snapshotDirectory);
  const { name, binary, mapsReadOnly } = host.choose(spec.hypervisor);
  const restore = decideRestore({
    hypervisor: name,
    mapsReadOnly: mapsReadOnly === true,
    // There is no jail yet: VMMs run as the user who owns the snapshots.
    jailed: false,
    balloon: spec.balloon,
    snapshotForm: memory.form,
  });
  const disks = await disksFor(host, id, spec);
  const config: VmConfig = {
    sandboxId: id,
    ...(templateId !== null && { templateId }),
    hypervisor: name,
    ...(binary !== null && { binary }),
    vcpus: spec.vcpus,
    memoryMib: spec.memoryMib,
    memoryForm: restore.memoryForm,
    balloon: spec.balloon,
    ...(disks && { disks }),
    ...networkCard(spec.network, host.home, id),
    restoreMode: restore.mode,
    timeouts: VM_TIMEOUTS,
  };
  await serveNetwork(host, config, signal);
  return host.manager.createFromSnapshot(config, snapshotDirectory, {
    reason: restore.reason,
    ...(signal && { signal }),
  });
}

async function disksFor(
  host: Host,
  id: string,
  spec: SandboxSpec,
): Promise<ReturnType<typeof disksOf> | undefined> {
  if (spec.imageDigest === null) return undefined;
  const { disk } = await findImage(spec.imageDigest, host.home.images);
  return disk === undefined ? undefined : disksOf(disk, upperPath(host.home, id));
}
