import type { AgentClient } from "@virga/guest";
import type { Vm, VmConfig } from "@virga/vm";
import { agentOf, awaitAgent, isSilent, readyTimeoutMs } from "./guest-agent.ts";
import type { Host } from "../host.ts";
import type { Timings } from "../timings.ts";
import { explainLoss } from "./vm-death.ts";

/** A VM whose agent answers. */
export interface Guest {
  readonly vm: Vm;
  readonly agent: AgentClient;
}

/**
 * Boots a VM and waits for its agent. A guest that stays silent is given up and booted once more: on busy hosts an early kernel may hang. Nothing of a
 * failed attempt is left.
 */
export async function bootGuest(
  host: Host,
  config: VmConfig,
  accelerator: "kvm" | "tcg",
  timings: Timings,
  signal: AbortSignal | undefined,
): Promise<Guest> {
  const options = { ...(signal && { signal }) };
  for (let attempt = 1; ; attempt++) {
    await serveNetwork(host, config, signal);
    const vm = await timings.measure("create", () => host.manager.create(config, options));
    const agent = agentOf(vm, host);
    try {
      await timings.measure("boot", () =>
        awaitAgent(vm, agent, readyTimeoutMs(host, accelerator), signal),
      );
      return { vm, agent };
    } catch (caught) {
      // A guest that gave up may be seen by its connections first: its end says more.
      const error = await explainLoss(vm, "boot the guest", caught);
      await agent.close();
      const isGone = await destroyed(vm, host);
      if (!isGone || attempt > 1 || !isSilent(error)) throw error;
      host.logger.warn({ vm: vm.id, error }, "the guest did not answer; booting it once more");
    }
  }
}

/** Starts what serves the VM's network, where it has one, before each of its VMMs. */
export async function serveNetwork(
  host: Host,
  config: VmConfig,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (config.network?.socket === undefined) return;
  const { startNetwork } = await import("../network/start-network.ts");
  const { home, assets, logger } = host;
  await startNetwork({ home, id: config.sandboxId, assets, logger, signal });
}

/** False when the VM cannot be destroyed, which must not hide why its guest did not boot. */
async function destroyed(vm: Vm, host: Host): Promise<boolean> {
  try {
    await vm.destroy();
    return true;
  } catch (error) {
    host.logger.error({ vm: vm.id, error }, "cannot destroy a VM whose guest did not boot");
    return false;
  }
}
