import { join } from "node:path";
import { isVirgaError } from "@virga/vm";
import type { Vm } from "@virga/vm";
import type { LifeTools } from "./life-tools.ts";

/**
 * The VM of a sandbox, taken up from the process that started it where need be; one whose hypervisor has ended is `failed`. Undefined where there is none, or
 * none that is whole yet. `VM_NOT_OURS` for one that this version cannot use.
 */
export async function findVm(
  { home, manager }: Pick<LifeTools, "home" | "manager">,
  id: string,
): Promise<Vm | undefined> {
  const outcome = await manager.recoverVm(id);
  // Somebody works on it now, which keeps nobody from using its guest.
  if (outcome === "busy" || outcome === "foreign") {
    try {
      return await manager.adopt(join(home.vms, id));
    } catch (error) {
      const isGone = isVirgaError(error) && ["VM_NOT_FOUND", "INVALID_STATE"].includes(error.code);
      if (!isGone) throw error;
    }
  }
  const vm = manager.get(id);
  // One that was taken up just now was asked by that. Any other, another process may have paused or resumed since.
  if (outcome === undefined) await vm?.refresh();
  return vm;
}
