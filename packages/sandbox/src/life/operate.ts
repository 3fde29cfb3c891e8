import type { Vm } from "@virga/vm";
import { errorText } from "@virga/vm";
import { lockSandbox } from "../sandbox-lock.ts";
import { Timings } from "../timings.ts";
import { LifeOperation } from "./life-operation.ts";
import type { LifeOptions, LifeTools } from "./life-tools.ts";
import { checkState } from "./sandbox-state.ts";
import type { SandboxState } from "./sandbox-state.ts";
import { settleSandbox } from "./settle-sandbox.ts";
import type { SettledSandbox } from "./settle-sandbox.ts";
import { watchDestroy } from "./watch-destroy.ts";

/** What an operation is, and where it is legal. */
export interface LifePlan {
  /** As in `pause`: part of "Cannot pause the sandbox". */
  readonly name: string;
  readonly legal: readonly SandboxState[];
}

/** An operation at work, on a settled sandbox in a legal state. */
export interface AtWork extends SettledSandbox {
  readonly operation: LifeOperation;
  /** Of this run alone. */
  readonly timings: Timings;
  /** Aborted by the caller's signal, and when somebody destroys the sandbox: that does not wait for this. */
  readonly signal: AbortSignal;
}

/**
 * Runs one operation on a sandbox: after those of other processes, under its lock, on a settled sandbox in a legal state. Where it fails, what it left is settled
 * as if its process had died there. A destroy meanwhile makes it `VM_DESTROYED`.
 */
export async function operate<T>(
  tools: LifeTools,
  id: string,
  plan: LifePlan,
  options: LifeOptions,
  body: (work: AtWork) => Promise<T>,
): Promise<T> {
  const { signal } = options;
  const timings = new Timings();
  const { home, logger } = tools;
  const operation = new LifeOperation(id, plan.name, timings);
  const lock = await operation.step("lock", () => lockSandbox(home, id, { signal }));
  try {
    // From here on: what has to be settled first may wait for a guest that is stuck.
    using watch = watchDestroy(tools, id, `${plan.name} it`, signal);
    try {
      const settled = await operation.step("settle", () => settleSandbox(tools, id, watch.signal));
      checkState(settled.row, settled.state, `${plan.name} it`, plan.legal);
      try {
        return await body({ ...settled, operation, timings, signal: watch.signal });
      } catch (error) {
        await settleSandbox(tools, id).catch((failure: unknown) => {
          logger.warn(
            { sandbox: id, operation: plan.name, error: errorText(failure) },
            "cannot take back an operation now; the next one will",
          );
        });
        throw error;
      }
    } catch (error) {
      throw watch.explain(error);
    }
  } finally {
    lock.release();
    options.timings?.addAll(timings);
  }
}

/** The VM of a sandbox whose state says that there is one. */
export function vmOf({ vm, row }: SettledSandbox): Vm {
  if (vm === undefined) throw new Error(`sandbox ${row.id} has no VM here`);
  return vm;
}
