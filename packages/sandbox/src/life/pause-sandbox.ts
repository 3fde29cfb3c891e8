import { agentOf } from "../guest/guest-agent.ts";
import type { LifeOptions, LifeTools } from "./life-tools.ts";
import { operate, vmOf } from "./operate.ts";
import { withOperation } from "./operation-timings.ts";

/**
 * Stops a sandbox where it stands; it stays in memory. What runs in it is frozen first, so that it can be snapshotted, forked and suspended as it is.
 * `GUEST_NOT_FROZEN` when a process cannot be frozen: then all go on.
 */
export async function pauseSandbox(
  tools: LifeTools,
  id: string,
  options: LifeOptions,
): Promise<void> {
  const plan = { name: "pause", legal: ["running"] } as const;
  await operate(tools, id, plan, options, async (work) => {
    const { operation, row, timings, signal } = work;
    const { sandboxes } = tools.catalog;
    await operation.step("intent", () =>
      sandboxes.update(id, { intent: { kind: "pause" }, pendingThaw: "thaw" }),
    );
    await using agent = agentOf(vmOf(work), tools);
    await operation.step("prepare", () => agent.prepare({ signal }));
    await operation.step("pause", () => tools.manager.pause(id, { signal }));
    await operation.step("commit", () =>
      sandboxes.update(id, { intent: null, timings: withOperation(row, "pause", timings) }),
    );
  });
}
