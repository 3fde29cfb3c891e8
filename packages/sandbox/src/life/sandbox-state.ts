import { VirgaError, virgaCommand } from "@virga/vm";
import type { Vm } from "@virga/vm";
import type { SandboxRow } from "../catalog/rows.ts";

/** What a sandbox does now. `failed`: its VM is gone and was not suspended. */
export type SandboxState = "creating" | "running" | "paused" | "suspended" | "failed" | "unknown";

/** The state of a settled sandbox: nobody else works on it. */
export function settledState(row: SandboxRow, vm: Vm | undefined): SandboxState {
  if (row.phase === "suspended") return "suspended";
  if (row.phase === "creating") return "creating";
  const state = vm?.state;
  return state === "running" || state === "paused" || state === "unknown" ? state : "failed";
}

/** How a sandbox is named in sentences and commands. */
function labelOf({ name, id }: Pick<SandboxRow, "name" | "id">): string {
  return name ?? id;
}

/** Fails with `INVALID_STATE`, naming the state, unless it is one of `legal`. `what` is the second half of "Cannot". */
export function checkState(
  row: SandboxRow,
  state: SandboxState,
  what: string,
  legal: readonly SandboxState[],
): void {
  if (legal.includes(state)) return;
  throw stateError(row, state, what);
}

/** The error of an operation that this state does not allow. */
export function stateError(row: SandboxRow, state: SandboxState, what: string): VirgaError {
  const label = labelOf(row);
  const hint = hintOf(state, label);
  return new VirgaError("INVALID_STATE", `Cannot ${what}: sandbox "${label}" is ${saying[state]}`, {
    details: { id: row.id, name: row.name, state },
    ...(hint !== undefined && { hint }),
  });
}

const saying: Readonly<Record<SandboxState, string>> = {
  creating: "still being made",
  running: "running",
  paused: "paused",
  suspended: "suspended",
  failed: "dead: its VM has ended",
  unknown: "in an unknown state: its hypervisor does not answer",
};

function hintOf(state: SandboxState, label: string): string | undefined {
  if (state === "paused" || state === "suspended") {
    return `Resume it first: ${virgaCommand(`resume ${label}`)}`;
  }
  if (state === "failed" || state === "unknown") {
    return `Remove it: ${virgaCommand(`rm ${label}`)}`;
  }
  return undefined;
}
