import { existsSync } from "node:fs";
import { agentOf } from "../guest/guest-agent.ts";
import { upperPath } from "../sandbox-disks.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { syncPath } from "../setup/publish.ts";
import { endVm } from "./end-vm.ts";
import type { LifeOptions, LifeTools } from "./life-tools.ts";
import { operate, vmOf } from "./operate.ts";
import { withOperation } from "./operation-timings.ts";
import { dropGenerations } from "./settle-sandbox.ts";

/**
 * Writes a sandbox to the disk and frees its memory. Its own disk stays where it is. A failure before its memory is on disk lets it go on as it was; from
 * there on it is suspended.
 */
export async function suspendSandbox(
  tools: LifeTools,
  id: string,
  options: LifeOptions,
): Promise<void> {
  const plan = { name: "suspend", legal: ["running", "paused"] } as const;
  await operate(tools, id, plan, options, async (work) => {
    const { operation, row, state, timings, signal } = work;
    const abort = { signal };
    const { home, manager, catalog } = tools;
    const { sandboxes } = catalog;
    const wasPaused = state === "paused";
    const next = (row.suspended ?? 0) + 1;
    await operation.step("intent", () =>
      sandboxes.update(id, { intent: { kind: "suspend", wasPaused }, pendingThaw: "thaw" }),
    );
    if (!wasPaused) {
      await using agent = agentOf(vmOf(work), tools);
      await operation.step("prepare", () => agent.prepare(abort));
      await operation.step("pause", () => manager.pause(id, abort));
    }
    await operation.step("save", () =>
      manager.snapshot(id, sandboxPaths(home, id).suspended(next), abort),
    );
    // With its memory, the disk it knows must outlive a power cut.
    const disk = upperPath(home, id);
    if (existsSync(disk)) await operation.step("disk", () => syncPath(disk));
    // Durable: its VM and its older memory go next.
    await operation.step("commit", () =>
      catalog.transaction(
        () => sandboxes.update(id, { phase: "suspended", suspended: next, pendingThaw: "none" }),
        { durable: true },
      ),
    );
    await operation.step("end", () => endVm(tools, id));
    await operation.step("clear", () => dropGenerations(tools, { id, suspended: next }));
    await operation.step("done", () =>
      sandboxes.update(id, { intent: null, timings: withOperation(row, "suspend", timings) }),
    );
  });
}
