import { VmManager, cloudHypervisorDriver, errorText, qemuDriver, silentLogger } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { Catalog } from "../catalog/catalog.ts";
import { chooseGuestTimeout } from "../guest/guest-timeout.ts";
import { homePaths, openHome } from "../home.ts";
import type { Home } from "../home.ts";
import { Host } from "../host.ts";
import type { HostOptions } from "../host.ts";
import { recoverSnapshots } from "../snapshots/recover-snapshots.ts";
import type { LifeTools } from "./life-tools.ts";
import { recoverSandboxes } from "./recover-sandboxes.ts";

/** Whoever only looks need not wait for a guest; whoever uses the sandbox then waits as long as it takes. */
const GUEST_MS = 3_000;

/** What it takes to work on sandboxes that are there, and to make VMs when that is needed. */
export interface Access extends LifeTools {
  /** This machine as a place for new VMs; opened when it is first asked for. */
  host(): Promise<Host>;
}

/** How to reach sandboxes that are there. */
export type AccessOptions = Pick<
  HostOptions,
  "home" | "logger" | "guestTimeoutMs" | "onProgress" | "onSetup" | "assets" | "isolation"
>;

/**
 * Opens the state directory for the use of sandboxes that are there: neither is the set-up of this machine checked nor are hypervisors tried, unless a VM has to be
 * made after all. What dead processes left of sandboxes and snapshots is removed or settled before. `INVALID_CONFIG` for a state directory of somebody else's.
 */
export async function openAccess(options: AccessOptions = {}): Promise<Access> {
  const { logger = silentLogger } = options;
  const guestTimeoutMs = chooseGuestTimeout(options);
  const home = await openHome(options.home ?? homePaths());
  let host: Promise<Host> | undefined;
  const open = async (): Promise<Host> => {
    try {
      return await Host.open({ ...options, home });
    } catch (error) {
      // What was missing may be there when it is tried again.
      host = undefined;
      throw error;
    }
  };
  const tools = { ...lightTools(home, logger), guestTimeoutMs };
  await recoverLight(tools);
  return { ...tools, host: () => (host ??= open()) };
}

/** Where nobody left anything it reads the catalogue, and no more. Never fails: what cannot be done now is logged, and left to the next. */
async function recoverLight(tools: LifeTools): Promise<void> {
  try {
    await recoverSandboxes(tools, { guestMs: GUEST_MS });
    await recoverSnapshots(tools);
  } catch (error) {
    tools.logger.warn({ error: errorText(error) }, "cannot look for what dead processes left");
  }
}

/** What recovers and uses sandboxes, without a Host. */
export function lightTools(home: Home, logger: Logger): LifeTools {
  const drivers = [cloudHypervisorDriver, qemuDriver()];
  // It starts nothing, and so needs no launcher.
  const manager = new VmManager({ directory: home.vms, launcher: "", drivers, logger });
  return {
    home,
    logger,
    manager,
    catalog: Catalog.open(home.catalog, { logger }),
    guestTimeoutMs: undefined,
  };
}
