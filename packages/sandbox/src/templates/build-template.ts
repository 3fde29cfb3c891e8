import { bootGuest } from "../guest/boot-guest.ts";
import type { Host } from "../host.ts";
import { disksOf, freshUpper } from "../sandbox-disks.ts";
import { networkCard } from "../network/guest-network.ts";
import { removeNetwork } from "../network/remove-network.ts";
import { syncPath } from "../setup/publish.ts";
import { writeHashes } from "../snapshots/snapshot-hashes.ts";
import { upperOf } from "./template-paths.ts";
import { warmUp } from "./warm-up.ts";
import type { TemplatePlan } from "./template-plan.ts";
import { ownVm } from "../owners/owner-record.ts";
import { newSandboxId } from "../sandbox-id.ts";
import type { Timings } from "../timings.ts";

/** What a template is made from. */
export interface BuildTemplateOptions {
  readonly host: Host;
  readonly plan: Pick<TemplatePlan, "boot" | "disks" | "network" | "image" | "warm">;
  readonly accelerator: "kvm" | "tcg";
  readonly signal: AbortSignal | undefined;
  readonly timings: Timings;
}

/**
 * Boots a guest, freezes what runs in it, and writes its snapshot to `snapshotDirectory`. The VM is destroyed while it is paused: it must not write to its
 * memory file again, nor to its disk, which lies beside the snapshot and goes with it. It belongs to this process, so one that was killed in between leaves nothing for good.
 */
export async function buildTemplate(
  options: BuildTemplateOptions,
  snapshotDirectory: string,
): Promise<void> {
  const { host, plan, accelerator, signal } = options;
  const { manager, home } = host;
  const id = newSandboxId();
  const operation = { ...(signal && { signal }) };
  const ownership = await ownVm(home, id, "template");
  const upper = upperOf(snapshotDirectory);
  try {
    if (plan.disks !== undefined) await freshUpper(home, plan.disks.diskMib, upper, signal);
    const disks = plan.disks && { disks: disksOf(plan.disks.base, upper) };
    const { vm, agent } = await bootGuest(
      host,
      { ...plan.boot, ...disks, ...networkCard(plan.network, home, id), sandboxId: id },
      accelerator,
      options.timings,
      signal,
    );
    try {
      const { image, warm } = plan;
      if (warm !== undefined) {
        const { logger } = host;
        await options.timings.measure("warm", () => warmUp({ agent, image, warm, logger, signal }));
      }
      await agent.prepare(operation);
      await agent.close();
      await manager.pause(id, operation);
      await manager.snapshot(id, snapshotDirectory, operation);
      // With the snapshot's own files it must outlive a power cut, or not be there at all.
      if (plan.disks !== undefined) await syncPath(upper);
    } finally {
      await agent.close();
      await vm.destroy();
    }
    await writeHashes(snapshotDirectory, signal);
  } finally {
    // A VM that could not be destroyed keeps its record: the next process tries again.
    if (manager.get(id) === undefined) {
      await removeNetwork(home, id, host.logger);
      await ownership.release();
    }
  }
}
