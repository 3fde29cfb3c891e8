import { VirgaError, isVirgaError } from "./errors.ts";
import type { ExitReason } from "./exit-reason.ts";
import { endsWithin } from "./launch/vmm-process.ts";
import type { VmmProcess } from "./launch/vmm-process.ts";

/** How long a VMM that hung up may take to be gone. */
const EXIT_MS = 1_000;

/** The VM an operation failed on. */
export interface FailedOn {
  readonly id: string;
  readonly process: VmmProcess;
  readonly exited: Promise<ExitReason>;
  readonly isBeingDestroyed: boolean;
}

/** The error of an operation that a destroy went before. */
export function destroyedError(id: string, operation: string, cause?: unknown): VirgaError {
  return new VirgaError("VM_DESTROYED", `Cannot ${operation} VM "${id}": it is being destroyed`, {
    details: { id, operation },
    cause,
  });
}

/** What an operation's failure comes from: a destroy meanwhile (`VM_DESTROYED`), a VMM that died (`HYPERVISOR_EXITED`, with the reason), or itself. */
export async function explainFailure(
  vm: FailedOn,
  operation: string,
  error: unknown,
): Promise<unknown> {
  if (isVirgaError(error) && (error.code === "VM_DESTROYED" || error.code === "INVALID_STATE"))
    return error;
  if (vm.isBeingDestroyed) return destroyedError(vm.id, operation, error);
  if (isVirgaError(error) && error.code !== "HYPERVISOR_EXITED") return error;
  // Its sockets close a moment before it has ended.
  if (!(await endsWithin(vm.process, EXIT_MS))) return error;
  // It may be all that the program still waits for.
  vm.process.keepAlive(true);
  const { reason, logTail } = await vm.exited;
  const details = isVirgaError(error) ? error.details : {};
  return new VirgaError(
    "HYPERVISOR_EXITED",
    `Cannot ${operation} VM "${vm.id}": its hypervisor has ended (${reason})`,
    {
      cause: error,
      details: { ...details, id: vm.id, operation, reason, logTail },
    },
  );
}
