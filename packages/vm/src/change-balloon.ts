import { VirgaError } from "./errors.ts";
import type { Machine } from "./machine.ts";

/** Takes `amountMib` of memory from a running guest; 0 gives all back. `INVALID_ARGUMENT` for more than the guest has, `UNSUPPORTED` without a balloon. */
export async function changeBalloon(
  machine: Machine,
  amountMib: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { id } = machine;
  const { memoryMib, balloon, timeouts } = machine.context.config;
  if (!Number.isSafeInteger(amountMib) || amountMib < 0 || amountMib >= memoryMib) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `Cannot take ${amountMib} MiB from VM "${id}": allowed is a whole number from 0 to ${memoryMib - 1}`,
      {
        details: { id, amountMib, memoryMib },
      },
    );
  }
  if (!balloon) {
    throw new VirgaError(
      "UNSUPPORTED",
      `Cannot change the balloon of VM "${id}": it has no balloon device`,
      {
        details: { id, hypervisor: machine.driver.name, feature: "balloon" },
        hint: "Create the VM with `balloon: true`.",
      },
    );
  }
  await machine.operate("updateBalloon", signal, async (operation, combined) => {
    await operation.step("balloon", () =>
      machine.control.setBalloon(amountMib * 1024 * 1024, {
        timeoutMs: timeouts.callMs,
        signal: combined,
      }),
    );
  });
}
