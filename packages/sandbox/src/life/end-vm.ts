import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError } from "@virga/vm";
import { removeNetwork } from "../network/remove-network.ts";
import { findVm } from "./find-vm.ts";
import type { LifeTools } from "./life-tools.ts";

/** How long another process may take that is removing the same VM, or gives up making it. */
const WAIT_MS = 30_000;
const POLL_MS = 20;

/** How to end a VM. */
export interface EndVmOptions {
  /** Shortens the graces. */
  readonly signal?: AbortSignal | undefined;
  /** Default 30 s. */
  readonly waitMs?: number;
}

/**
 * Ends the VM of a sandbox, whichever process started it, and removes everything of it, waiting for who is making or removing it now. `DESTROY_FAILED` when something
 * of it stays.
 */
export async function endVm(
  tools: Pick<LifeTools, "home" | "manager">,
  id: string,
  { signal, waitMs = WAIT_MS }: EndVmOptions = {},
): Promise<void> {
  const directory = join(tools.home.vms, id);
  const deadline = performance.now() + waitMs;
  for (;;) {
    const vm = await findVm(tools, id);
    if (vm !== undefined) await tools.manager.destroy(id, { ...(signal && { signal }) });
    else if (!existsSync(directory)) break;
    // Nobody is at work on what is not Virga's.
    else if ((await tools.manager.recoverVm(id)) === "foreign") break;
    if (performance.now() >= deadline) break;
    if (vm === undefined) await sleep(POLL_MS);
  }
  await removeNetwork(tools.home, id);
  if (!existsSync(directory)) return;
  throw new VirgaError(
    "DESTROY_FAILED",
    `Cannot remove VM "${id}": a process is still making it, or ${directory} holds what is not Virga's`,
    {
      details: { id, directory },
      hint: "End that process, or look into that directory; then try again.",
    },
  );
}
