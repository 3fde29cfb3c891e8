import { setTimeout as sleep } from "node:timers/promises";
import { isGuestError } from "@virga/guest";
import type { GuestOutcome } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import type { Vm } from "@virga/vm";

const POLL_MS = 20;
/** How long after a lost connection the end of its VM may become known. */
const NOTICE_MS = 2_000;

/** Waits for `work`, and ends at once with `HYPERVISOR_EXITED` when the VM dies meanwhile. `what` names the work in the error. */
export async function whileAlive<T>(vm: Vm, what: string, work: Promise<T>): Promise<T> {
  let done = false;
  const settled = work.finally(() => {
    done = true;
  });
  settled.catch(() => undefined);
  const died = async (): Promise<never> => {
    // By its state and not by `vm.exited`, which would keep this process alive.
    while (vm.state !== "failed" && vm.state !== "stopped" && !done) {
      await sleep(POLL_MS);
    }
    if (done) return new Promise<never>(() => undefined);
    throw await deathOf(vm, what, undefined);
  };
  return Promise.race([settled, died()]);
}

/** Tells whether an error of the guest's connection comes from the end of its VM; then that is the error. */
export async function explainLoss(vm: Vm, what: string, error: unknown): Promise<unknown> {
  if (!isLoss(error)) return error;
  const deadline = performance.now() + NOTICE_MS;
  while (vm.state === "running" && performance.now() < deadline) await sleep(POLL_MS);
  return vm.state === "failed" ? deathOf(vm, what, error) : error;
}

/** Whether an error may come from the end of the VM. */
export function isLoss(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  // A VM that is known to be dead refuses further connections by its state.
  return ["GUEST_CONNECTION_LOST", "HYPERVISOR_EXITED", "INVALID_STATE"].includes(
    String(error.code),
  );
}

/** Whether an error says that a call was given up. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ABORTED";
}

/** The error of a call to a VM that its user has destroyed, before or meanwhile. */
export function destroyedError(id: string, what: string, cause?: unknown): VirgaError {
  return new VirgaError("VM_DESTROYED", `Cannot ${what}: VM "${id}" was destroyed`, {
    cause,
    details: { id, ...outcomeOf(cause) },
  });
}

/** The error of a call to a VM that has ended. */
export async function deathOf(vm: Vm, what: string, cause?: unknown): Promise<VirgaError> {
  if (vm.state === "stopped") {
    return destroyedError(vm.id, what, cause);
  }
  const { exit } = await vm.info();
  const reason = exit?.reason ?? "unknown";
  return new VirgaError(
    "HYPERVISOR_EXITED",
    `Cannot ${what}: VM "${vm.id}" has ended (${reason})`,
    {
      cause,
      details: { id: vm.id, ...exit, ...outcomeOf(cause) },
    },
  );
}

/** What became of the request, where the error of its connection tells: a program must not lose that to the reason. */
function outcomeOf(cause: unknown): { readonly outcome?: GuestOutcome } {
  if (!isGuestError(cause) || cause.details.outcome === undefined) return {};
  return { outcome: cause.details.outcome };
}
