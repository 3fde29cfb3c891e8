import { isVirgaError } from "@virga/vm";
import type { VmConfig } from "@virga/vm";
import { bootGuest, serveNetwork } from "../guest/boot-guest.ts";
import type { Guest } from "../guest/boot-guest.ts";
import { agentOf } from "../guest/guest-agent.ts";
import type { Host } from "../host.ts";
import { networkCard } from "../network/guest-network.ts";
import { clonedUpper, disksOf, freshUpper, upperPath } from "../sandbox-disks.ts";
import { buildTemplate } from "../templates/build-template.ts";
import type { TemplatePlan } from "../templates/template-plan.ts";
import type { TemplateUse } from "../templates/template-store.ts";
import { Timings } from "../timings.ts";

/** How to make the guest of a sandbox. */
export interface MakeGuestOptions {
  readonly host: Host;
  readonly plan: TemplatePlan;
  readonly id: string;
  readonly accelerator: "kvm" | "tcg";
  readonly timings: Timings;
  readonly signal: AbortSignal | undefined;
}

/** Boots the guest, without a template. Its disk stays when that fails: it goes with the sandbox. */
export async function bootCold(options: MakeGuestOptions): Promise<Guest> {
  const { host, plan, timings, signal, accelerator } = options;
  const own = await ownParts(options, (diskMib, upper) =>
    freshUpper(host.home, diskMib, upper, signal),
  );
  return bootGuest(host, { ...plan.boot, ...own }, accelerator, timings, signal);
}

/** Restores the guest from its template, which is made first where there is none. A damaged template is made anew, once. */
export async function restoreClone(options: MakeGuestOptions): Promise<Guest> {
  const { host, plan, timings } = options;
  for (let attempt = 1; ; attempt++) {
    const use = await timings.measure("template", () => ensureTemplate(options));
    try {
      try {
        if (use.built) await timings.measure("prune", () => host.templates.prune());
        // From the moment it lives, its record keeps the template from being dropped.
        return await timings.measure("create", () => restoreFrom(use, options));
      } finally {
        use.release();
      }
    } catch (error) {
      if (attempt > 1 || !isVirgaError(error) || error.code !== "SNAPSHOT_INVALID") throw error;
      host.logger.warn({ template: plan.key, error }, "a damaged template; making it anew");
      await host.templates.drop(plan.key);
    }
  }
}

async function ensureTemplate(options: MakeGuestOptions): Promise<TemplateUse> {
  const { host, plan, accelerator, signal } = options;
  return host.templates.ensure(plan.key, {
    parts: plan.parts,
    signal,
    onWait: () =>
      host.onProgress("Waiting for another process that prepares the first sandbox of this kind"),
    build: (directory) => {
      host.onProgress("Preparing the first sandbox of this kind (once)");
      return buildTemplate({ host, plan, accelerator, signal, timings: new Timings() }, directory);
    },
  });
}

async function restoreFrom(use: TemplateUse, options: MakeGuestOptions): Promise<Guest> {
  const { host, plan, signal } = options;
  const own = await ownParts(options, (_diskMib, upper) =>
    clonedUpper(use.snapshotDirectory, upper, signal),
  );
  const config = { ...plan.clone, ...own };
  await serveNetwork(host, config, signal);
  const vm = await host.manager.createFromSnapshot(config, use.snapshotDirectory, {
    reason: plan.restore.reason,
    ...(signal && { signal }),
  });
  return { vm, agent: agentOf(vm, host) };
}

/** What the sandbox's VM has to itself: its id, its card, and where its image has a base its disks, the one that `make` makes included; that goes with the sandbox. */
async function ownParts(
  { host, plan, id, timings }: MakeGuestOptions,
  make: (diskMib: number, upper: string) => Promise<void>,
): Promise<Pick<VmConfig, "sandboxId" | "disks" | "network">> {
  const own = { sandboxId: id, ...networkCard(plan.network, host.home, id) };
  if (plan.disks === undefined) return own;
  const { base, diskMib } = plan.disks;
  const upper = upperPath(host.home, id);
  await timings.measure("disk", () => make(diskMib, upper));
  return { ...own, disks: disksOf(base, upper) };
}
