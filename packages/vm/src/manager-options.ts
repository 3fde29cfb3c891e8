import type { HypervisorDriver } from "./hypervisor/port.ts";
import type { Logger } from "./logger.ts";

/** What a manager needs. */
export interface VmManagerOptions {
  /** Directory below which each VM has its own. Made when absent. */
  readonly directory: string;
  /** Path of the launcher's binary. */
  readonly launcher: string;
  /** The hypervisors to use. */
  readonly drivers: readonly HypervisorDriver[];
  readonly logger?: Logger;
  /** `auto` (default) finds out by a trial launch whether VMMs can have namespaces of their own; `off` forbids it. */
  readonly isolation?: "auto" | "off";
  /** Whether VMs end with this process, however it ends. Default: they outlive it, and any process finds them again. */
  readonly endsWithProcess?: boolean;
}

/** Options every operation takes. */
export interface OperationOptions {
  /** Counts until the call resolves, not after. */
  readonly signal?: AbortSignal;
}

/** Options of a restore. */
export interface RestoreOptions extends OperationOptions {
  /** Why this restore mode was chosen, for the record. */
  readonly reason?: string;
}
