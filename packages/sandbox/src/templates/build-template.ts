import type { VmConfig } from "@virga/vm";
import { bootGuest } from "../boot-guest.ts";
import type { Host } from "../host.ts";
import { ownVm } from "../owner-record.ts";
import { newSandboxId } from "../sandbox-id.ts";
import type { Timings } from "../timings.ts";

/** What a template is made from. */
export interface BuildTemplateOptions {
  readonly host: Host;
  /** The VM, but for its id. */
  readonly config: Omit<VmConfig, "sandboxId">;
  readonly accelerator: "kvm" | "tcg";
  readonly signal: AbortSignal | undefined;
  readonly timings: Timings;
}

/**
 * Boots a guest, freezes what runs in it, and writes its snapshot to `snapshotDirectory`. The VM is destroyed while it is paused: it must not write to its
 * memory file again. It belongs to this process, so one that was killed in between leaves nothing for good.
 */
export async function buildTemplate(
  options: BuildTemplateOptions,
  snapshotDirectory: string,
): Promise<void> {
  const { host, config, accelerator, signal } = options;
  const { manager, home } = host;
  const id = newSandboxId();
  const operation = { ...(signal && { signal }) };
  const ownership = await ownVm(home, id, "template");
  try {
    const { vm, agent } = await bootGuest(
      host,
      { ...config, sandboxId: id },
      accelerator,
      options.timings,
      signal,
    );
    try {
      await agent.prepare(operation);
      await agent.close();
      await manager.pause(id, operation);
      await manager.snapshot(id, snapshotDirectory, operation);
    } finally {
      await agent.close();
      await vm.destroy();
    }
  } finally {
    // A VM that could not be destroyed keeps its record: the next process tries again.
    if (manager.get(id) === undefined) await ownership.release();
  }
}
