import type { SandboxRow } from "../catalog/rows.ts";
import type { Timings } from "../timings.ts";

/** Operations whose last run a sandbox's row tells of, beside that which made it. */
const OPERATIONS = ["pause", "resume", "suspend", "snapshot", "fork"] as const;
type TimedOperation = (typeof OPERATIONS)[number];

type Steps = Readonly<Record<string, number>>;

/** Milliseconds per step, of the creation and of the last run of each operation. */
export type OperationTimings = { readonly create: Steps } & Readonly<
  Partial<Record<TimedOperation, Steps>>
>;

// In the row they lie side by side: a step of `create` by its name alone, others as `pause: prepare`. An earlier version reads them too.
const prefixOf = (operation: string): string => `${operation}: `;

/** What a row tells, by operation. */
export function operationTimings({ timings }: Pick<SandboxRow, "timings">): OperationTimings {
  const told: Record<string, Record<string, number>> = { create: {} };
  for (const [key, ms] of Object.entries(timings)) {
    const operation = OPERATIONS.find((name) => key.startsWith(prefixOf(name)));
    const step = operation === undefined ? key : key.slice(prefixOf(operation).length);
    (told[operation ?? "create"] ??= {})[step] = ms;
  }
  return { create: {}, ...told };
}

/** What a row tells after a run of an operation: its steps are in the place of those of the run before. */
export function withOperation(
  { timings }: Pick<SandboxRow, "timings">,
  operation: TimedOperation,
  run: Timings,
): Steps {
  const prefix = prefixOf(operation);
  const others = Object.entries(timings).filter(([key]) => !key.startsWith(prefix));
  const steps = Object.entries(run.toJSON()).map(([step, ms]) => [prefix + step, ms] as const);
  return Object.fromEntries([...others, ...steps]);
}
