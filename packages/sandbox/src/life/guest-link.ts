import { AgentClient } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import type { Vm } from "@virga/vm";
import type { SandboxRow } from "../catalog/rows.ts";
import { lockSandbox } from "../sandbox-lock.ts";
import { deathOf, destroyedError, explainLoss, isLoss } from "../guest/vm-death.ts";
import { findVm } from "./find-vm.ts";
import type { LifeTools } from "./life-tools.ts";
import { settledState, stateError } from "./sandbox-state.ts";
import { settleSandbox } from "./settle-sandbox.ts";

/** How long an operation may take for which the guest stands still; then whoever wants to use it gives up. */
const WAIT_MS = 120_000;

/** The way to the guest of one sandbox, whichever VM it lives in now and whoever works on it. */
export class GuestLink {
  /** Good for the sandbox's whole life: each of its connections goes to the VM of that moment. */
  readonly agent: AgentClient;
  readonly #tools: LifeTools;
  readonly #id: string;
  #vm: Vm | undefined;

  constructor(tools: LifeTools, id: string, vm?: Vm) {
    const { logger, guestTimeoutMs: timeoutMs } = tools;
    this.#tools = tools;
    this.#id = id;
    this.#vm = vm;
    this.agent = new AgentClient({
      connect: async (options) => (await this.vm("connect to its guest")).connectGuest(options),
      logger,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  }

  /** The VM that was last seen. */
  get lastVm(): Vm | undefined {
    return this.#vm;
  }

  /**
   * The VM, running and with nothing left undone in its guest. Waits for an operation for which the guest stands still. `INVALID_STATE` for a sandbox that is paused
   * or suspended, `VM_DESTROYED` for one that is gone, `HYPERVISOR_EXITED` for one whose VM has ended. `what` is the second half of "Cannot".
   */
  async vm(what: string): Promise<Vm> {
    const { catalog } = this.#tools;
    const row = catalog.sandboxes.get(this.#id);
    if (row === undefined || row.phase === "destroying") throw destroyedError(this.#id, what);
    if (row.phase === "live" && row.pendingThaw === "none") {
      // What was begun does not concern the guest, or not yet.
      const vm = await this.#find();
      if (vm?.state === "running" || vm?.state === "unknown") return vm;
      if (vm?.state !== "paused") throw await this.#lost(what, row, vm);
    }
    const isAtRest = row.intent === null && row.pendingThaw !== "init";
    if (row.phase === "creating" || (row.phase === "suspended" && isAtRest)) {
      throw stateError(row, row.phase, what);
    }
    return this.#settled(what);
  }

  /** Tells what became of the sandbox by the hands of another process, or of its VM, where that is why a connection was lost; else gives the error back. */
  async explain(what: string, error: unknown): Promise<unknown> {
    if (!isLoss(error)) return error;
    const row = this.#tools.catalog.sandboxes.get(this.#id);
    if (row === undefined || row.phase === "destroying")
      return destroyedError(this.#id, what, error);
    if (row.phase === "suspended") return suspendedMeanwhile(row, what, error);
    return this.#vm === undefined ? error : explainLoss(this.#vm, what, error);
  }

  async #settled(what: string): Promise<Vm> {
    const id = this.#id;
    const lock = await lockSandbox(this.#tools.home, id, { timeoutMs: WAIT_MS });
    try {
      const { row, vm, state } = await settleSandbox(this.#tools, id);
      this.#vm = vm;
      if (vm !== undefined && (state === "running" || state === "unknown")) return vm;
      if (state === "failed") throw await this.#lost(what, row, vm);
      throw stateError(row, state, what);
    } finally {
      lock.release();
    }
  }

  async #find(): Promise<Vm | undefined> {
    // One that lives needs no looking for.
    if (this.#vm?.state !== "running") this.#vm = await findVm(this.#tools, this.#id);
    return this.#vm;
  }

  async #lost(what: string, row: SandboxRow, vm: Vm | undefined): Promise<VirgaError> {
    // Somebody may have destroyed it since its row was read.
    if (this.#tools.catalog.sandboxes.get(row.id) === undefined)
      return destroyedError(row.id, what);
    return vm === undefined ? stateError(row, settledState(row, vm), what) : deathOf(vm, what);
  }
}

function suspendedMeanwhile(row: SandboxRow, what: string, cause: unknown): VirgaError {
  const { code, message, details, hint } = stateError(row, "suspended", what);
  return new VirgaError(code, message, { cause, details, ...(hint !== undefined && { hint }) });
}
