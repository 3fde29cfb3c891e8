import { VirgaError, virgaCommand } from "@virga/vm";
import type { LifeOptions, LifeTools } from "./life-tools.ts";
import { operate } from "./operate.ts";

/**
 * Takes so many MiB of memory from a running sandbox; 0 gives all back. The guest gives what it can spare. `UNSUPPORTED` for a sandbox that was made without a
 * balloon, `INVALID_ARGUMENT` for more than it has.
 */
export async function balloonSandbox(
  tools: LifeTools,
  id: string,
  amountMib: number,
  options: LifeOptions,
): Promise<void> {
  const plan = { name: "balloon", legal: ["running"] } as const;
  await operate(tools, id, plan, options, async ({ operation, row, signal }) => {
    if (!row.spec.balloon) {
      throw new VirgaError(
        "UNSUPPORTED",
        `Cannot take memory from sandbox "${row.name ?? id}": it was made without a balloon, and shares memory with others`,
        {
          details: { id, feature: "balloon" },
          hint: `Make it with balloon: true (${virgaCommand("create --balloon")}): it gets memory of its own.`,
        },
      );
    }
    await operation.step("balloon", () => tools.manager.updateBalloon(id, amountMib, { signal }));
  });
}
