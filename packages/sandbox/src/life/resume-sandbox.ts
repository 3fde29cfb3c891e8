import { sandboxPaths } from "../sandbox-lock.ts";
import type { Access } from "./access.ts";
import type { LifeOptions } from "./life-tools.ts";
import { operate, vmOf } from "./operate.ts";
import type { AtWork } from "./operate.ts";
import { withOperation } from "./operation-timings.ts";
import { restoreVm } from "./restore-vm.ts";
import { initGuest, thaw } from "./settle-sandbox.ts";

/**
 * Lets a paused sandbox go on, or brings a suspended one back: all that ran in it goes on where it stood, with the clock set and entropy of its own. A failure leaves
 * it paused or suspended.
 */
export async function resumeSandbox(
  access: Access,
  id: string,
  options: LifeOptions,
): Promise<void> {
  const plan = { name: "resume", legal: ["paused", "suspended"] } as const;
  await operate(access, id, plan, options, (work) =>
    work.state === "paused" ? unpause(access, work) : restore(access, work),
  );
}

async function unpause(access: Access, work: AtWork): Promise<void> {
  const { operation, row, signal } = work;
  const { sandboxes } = access.catalog;
  const vm = vmOf(work);
  await operation.step("intent", () => sandboxes.update(row.id, { intent: { kind: "resume" } }));
  await operation.step("resume", () => access.manager.resume(row.id, { signal }));
  await operation.step("thaw", () => thaw(access, vm));
  await commit(access, work);
}

async function restore(access: Access, work: AtWork): Promise<void> {
  const { operation, row, signal } = work;
  const { id, spec, suspended } = row;
  const { catalog } = access;
  const { sandboxes } = catalog;
  if (suspended === null) throw new Error(`sandbox ${id} is suspended, and nobody knows where`);
  const host = await operation.step("host", () => access.host());
  await operation.step("intent", () => sandboxes.update(id, { intent: { kind: "resume" } }));
  const snapshotDirectory = sandboxPaths(access.home, id).suspended(suspended);
  const vm = await operation.step("restore", () =>
    restoreVm({ host, id, spec, snapshotDirectory, signal }),
  );
  // From here on what it runs may write to its disk, and its memory as it was suspended is of no use any more. Durable: after
  // a power cut, too, that memory must not meet this disk.
  await operation.step("live", () =>
    catalog.transaction(() => sandboxes.update(id, { phase: "live", pendingThaw: "init" }), {
      durable: true,
    }),
  );
  await operation.step("init", () => initGuest(access, row, vm, signal));
  await commit(access, work);
}

async function commit({ catalog }: Access, { operation, row, timings }: AtWork): Promise<void> {
  await operation.step("commit", () =>
    catalog.sandboxes.update(row.id, {
      intent: null,
      pendingThaw: "none",
      timings: withOperation(row, "resume", timings),
    }),
  );
}
