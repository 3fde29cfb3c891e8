import { existsSync } from "node:fs";
import { join } from "node:path";
import { VirgaError } from "@virga/vm";
import { removeNetwork } from "../network/remove-network.ts";
import { findVm } from "./find-vm.ts";
import type { LifeTools } from "./life-tools.ts";

/** The VM of this id may be replaced by another process meanwhile; not for ever. */
const ATTEMPTS = 3;

/** Ends the VM of a sandbox, whichever process started it, and removes everything of it. `DESTROY_FAILED` when something of it stays. */
export async function endVm(
  tools: Pick<LifeTools, "home" | "manager">,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const vm = await findVm(tools, id);
    if (vm === undefined) break;
    await tools.manager.destroy(id, { ...(signal && { signal }) });
  }
  await removeNetwork(tools.home, id);
  const directory = join(tools.home.vms, id);
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
