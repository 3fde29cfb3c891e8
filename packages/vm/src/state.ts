import { VirgaError } from "./errors.ts";

/** State of a VM as its manager knows it. */
export type VmState =
  | "creating"
  | "running"
  | "paused"
  | "stopping"
  | "stopped"
  | "failed"
  | "unknown";

/** Operations a state can forbid. */
export type VmOperation =
  | "pause"
  | "resume"
  | "updateBalloon"
  | "prepareSnapshot"
  | "snapshot"
  | "connectGuest"
  | "info"
  | "destroy";

/** Which states may follow a state. */
export const STATE_TRANSITIONS: Readonly<Record<VmState, readonly VmState[]>> = {
  creating: ["running", "stopping", "failed", "unknown"],
  running: ["paused", "stopping", "failed", "unknown"],
  paused: ["running", "stopping", "failed", "unknown"],
  stopping: ["stopped", "failed"],
  stopped: [],
  failed: ["stopping"],
  unknown: ["running", "paused", "stopping", "failed"],
};

/** In which states an operation is legal. */
export const LEGAL_STATES: Readonly<Record<VmOperation, readonly VmState[]>> = {
  pause: ["running"],
  resume: ["paused"],
  updateBalloon: ["running"],
  prepareSnapshot: ["running", "paused"],
  snapshot: ["paused"],
  connectGuest: ["running"],
  info: ["creating", "running", "paused", "stopping", "failed", "unknown"],
  destroy: ["creating", "running", "paused", "stopping", "stopped", "failed", "unknown"],
};

const VERBS: Readonly<Record<VmOperation, string>> = {
  pause: "pause",
  resume: "resume",
  updateBalloon: "change the balloon of",
  prepareSnapshot: "prepare a snapshot of",
  snapshot: "snapshot",
  connectGuest: "connect to the guest of",
  info: "inspect",
  destroy: "destroy",
};

/** Fails with `INVALID_STATE`, naming the current state, unless `operation` is legal in `state`. */
export function checkLegal(id: string, operation: VmOperation, state: VmState): void {
  const legal = LEGAL_STATES[operation];
  if (legal.includes(state)) return;
  throw new VirgaError(
    "INVALID_STATE",
    `Cannot ${VERBS[operation]} VM "${id}": state is ${state}`,
    {
      details: { id, operation, state, legal },
      hint: `The VM must be ${legal.join(" or ")}.`,
    },
  );
}

/** The next state. An illegal transition is a bug of ours, so it throws a plain error. */
export function nextState(from: VmState, to: VmState): VmState {
  if (from === to) return to;
  if (!STATE_TRANSITIONS[from].includes(to))
    throw new Error(`Illegal transition of a VM's state: ${from} → ${to}`);
  return to;
}
