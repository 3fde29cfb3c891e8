import { existsSync } from "node:fs";
import { VirgaError } from "./errors.ts";
import { explainEnd } from "./explain-end.ts";
import { destroyedError, explainFailure } from "./explain-failure.ts";
import type { ExitReason } from "./exit-reason.ts";
import type {
  HypervisorControl,
  HypervisorDriver,
  VmContext,
  VmmState,
} from "./hypervisor/port.ts";
import type { ProcessExit, VmmProcess } from "./launch/vmm-process.ts";
import { closeKeptLock } from "./kept-locks.ts";
import { acquireLock } from "./lock.ts";
import type { Logger } from "./logger.ts";
import { RecordReader, recordPaused } from "./record.ts";
import type { VmRecord } from "./record.ts";
import { checkLegal, nextState } from "./state.ts";
import type { VmOperation, VmState } from "./state.ts";
import { Operation } from "./steps.ts";
import { TaskQueue } from "./task-queue.ts";
import { UndoStack } from "./undo.ts";

/** How long to ask a VMM what a failed call has done. */
const FIND_OUT_MS = 1_000;

/** What a machine is made of. */
export interface MachineParts {
  readonly driver: HypervisorDriver;
  readonly context: VmContext;
  readonly control: HypervisorControl;
  readonly process: VmmProcess;
  readonly record: VmRecord;
  readonly logger: Logger;
}

/** One VM in this process: its state, its operations one at a time, and the watch over its VMM. Internal; users hold a `Vm`. */
export class Machine {
  readonly driver: HypervisorDriver;
  readonly context: VmContext;
  readonly control: HypervisorControl;
  readonly process: VmmProcess;
  readonly logger: Logger;
  record: VmRecord;
  /** Set by the one destroy that runs; all callers share it. */
  destroying: Promise<void> | undefined;
  exitReason: ExitReason | undefined;
  readonly exited: Promise<ExitReason>;
  readonly #preempt = new AbortController();
  readonly #queue = new TaskQueue();
  readonly #reader: RecordReader;
  #busy = 0;
  #state: VmState;
  #guestEnd: ExitReason["reason"] | undefined;
  #stopWatching: () => void = () => undefined;

  constructor(parts: MachineParts, state: VmState) {
    this.driver = parts.driver;
    this.context = parts.context;
    this.control = parts.control;
    this.process = parts.process;
    this.logger = parts.logger;
    this.record = parts.record;
    this.#reader = new RecordReader(parts.context.layout.record);
    this.#state = state;
    this.exited = this.process.exited.then((exit) => this.#onExit(exit));
    if (state !== "failed")
      this.#stopWatching = this.driver.watchGuest(this.context, (reason) =>
        this.#onGuestEnd(reason),
      );
  }

  get id(): string {
    return this.record.id;
  }

  get state(): VmState {
    return this.#state;
  }

  /** Whether this process, or another one, destroys it. */
  get isBeingDestroyed(): boolean {
    return this.destroying !== undefined || existsSync(this.context.layout.destroying);
  }

  /** Whether an operation of this process runs on it now. */
  get isBusy(): boolean {
    return this.#busy > 0;
  }

  setState(state: VmState): void {
    if (this.#state === state) return;
    this.#state = nextState(this.#state, state);
    this.logger.debug({ vm: this.id, state }, "VM state");
  }

  /** Makes running operations of this process fail, and stops the watch over the guest: a destroy begins. */
  preempt(): void {
    this.#stopWatching();
    this.#preempt.abort(new VirgaError("VM_DESTROYED", `VM "${this.id}" is being destroyed`));
  }

  /** Stops watching a VM that nobody here will use: another object of this process has it. */
  abandon(): void {
    this.#stopWatching();
    this.process.unwatch();
    this.#close();
  }

  /**
   * Runs one operation: after the earlier ones of this process, under the VM's lock, in a legal state. A destroy meanwhile, here or in another process,
   * makes it `VM_DESTROYED`; a VMM that died makes it `HYPERVISOR_EXITED` with the reason and the log's end. Whatever makes it fail, what `body` registered
   * for its undoing is undone, under the lock still.
   */
  async operate<T>(
    name: VmOperation,
    signal: AbortSignal | undefined,
    body: (operation: Operation, signal: AbortSignal, undo: UndoStack) => Promise<T>,
  ): Promise<T> {
    const what = `${name} of VM "${this.id}"`;
    return this.#queue.run(what, signal, () => this.#locked(name, signal, body));
  }

  async #locked<T>(
    name: VmOperation,
    signal: AbortSignal | undefined,
    body: (operation: Operation, signal: AbortSignal, undo: UndoStack) => Promise<T>,
  ): Promise<T> {
    this.#checkNotDestroyed(name);
    const combined =
      signal === undefined ? this.#preempt.signal : AbortSignal.any([signal, this.#preempt.signal]);
    const { layout, config } = this.context;
    const undo = new UndoStack();
    this.#busy++;
    try {
      const lock = await acquireLock(layout.lock, {
        timeoutMs: config.timeouts.longCallMs,
        signal: combined,
        what: `VM "${this.id}"`,
        keep: true,
      });
      try {
        this.#checkNotDestroyed(name);
        await this.#refresh();
        if (this.#state === "unknown") await this.#findState();
        checkLegal(this.id, name, this.#state);
        this.checkAlive(name);
        const operation = new Operation(this.id, name, this.logger, combined);
        const result = await body(operation, combined, undo);
        // The last look: whoever destroys it from here on finds an operation that is done.
        this.#checkNotDestroyed(name);
        undo.release();
        return result;
      } finally {
        await undo.unwind(this.logger);
        lock.release();
      }
    } catch (error) {
      throw await explainFailure(this, name, error);
    } finally {
      this.#busy--;
    }
  }

  /**
   * Another process may have paused or resumed it meanwhile: then the record has changed. One that is as it was tells nothing: its writer may have died
   * between the call and the record, and what the VMM itself said since counts more.
   */
  async #refresh(): Promise<void> {
    if (this.#state !== "running" && this.#state !== "paused") return;
    const record = await this.#reader.read();
    if (record === undefined || record.uuid !== this.record.uuid) return;
    const isNews = record.state !== this.record.state;
    this.record = record;
    if (isNews && (record.state === "running" || record.state === "paused")) {
      this.setState(record.state);
    }
  }

  /**
   * Pauses or resumes by `call`, inside an operation. A call that failed may have had its effect all the same, or may yet have it when nobody waits for it
   * any more: then the VMM is asked, and the state is `unknown` if it does not tell.
   */
  async change(
    operation: Operation,
    step: "pause" | "resume",
    call: () => Promise<void>,
  ): Promise<void> {
    try {
      await operation.step(step, call);
    } catch (error) {
      await this.#findState();
      throw error;
    }
    this.settle(step === "pause" ? "paused" : "running");
  }

  async #findState(): Promise<void> {
    if (this.destroying !== undefined || !this.process.isAlive()) return;
    try {
      const { signal } = this.#preempt;
      const { state } = await this.control.info({ timeoutMs: FIND_OUT_MS, signal });
      if (state === "running" || state === "paused") {
        this.#settleIfRecordable(state);
        return;
      }
      this.logger.warn({ vm: this.id, state }, "the hypervisor is there, its VM is not");
    } catch (error) {
      this.logger.warn({ vm: this.id, error }, "cannot tell the VM's state after a failed call");
    }
    const isLive = this.#state === "running" || this.#state === "paused";
    if (isLive && this.destroying === undefined && this.process.isAlive()) this.setState("unknown");
  }

  /** Closes what is kept open for the next operation. */
  #close(): void {
    this.control.close();
    closeKeptLock(this.context.layout.lock);
  }

  /** Sets the state after an operation, here and in the record. Called under the lock. `IO_ERROR` when the record cannot be kept: the state is set all the same. */
  settle(state: "running" | "paused"): void {
    this.told(state);
    recordPaused(this.context.layout.directory, state === "paused");
    // Not before: what differs from the file would count as news of another process.
    this.record = { ...this.record, state };
  }

  #settleIfRecordable(state: "running" | "paused"): void {
    try {
      this.settle(state);
    } catch (error) {
      this.logger.warn({ vm: this.id, state, error }, "cannot record the VM's state");
    }
  }

  /** Takes over what the VMM says of its VM, unless that has ended here. */
  told(state: VmmState): void {
    if (state !== "running" && state !== "paused") return;
    if (this.#state === "running" || this.#state === "paused" || this.#state === "unknown")
      this.setState(state);
  }

  /** Asks the VMM for the VM's state, unless an operation of this process is about to change it. */
  async refresh(): Promise<void> {
    if (this.isBusy || !this.process.isAlive()) return;
    if (!(await this.#ask())) await this.#refresh();
  }

  /** Asks the VMM once more where nobody could tell the VM's state. */
  async clarify(): Promise<void> {
    if (this.#state === "unknown" && this.process.isAlive()) await this.#ask();
  }

  /** False when the VMM does not answer. */
  async #ask(): Promise<boolean> {
    try {
      const { signal } = this.#preempt;
      this.told((await this.control.info({ timeoutMs: FIND_OUT_MS, signal })).state);
      return true;
    } catch (error) {
      this.logger.debug({ vm: this.id, error }, "the hypervisor does not tell the VM's state");
      return false;
    }
  }

  /** Fails unless the VMM lives: its sockets' paths may belong to another VM of the same id by now. */
  checkAlive(name: string): void {
    if (this.process.isAlive()) return;
    throw new VirgaError(
      "HYPERVISOR_EXITED",
      `Cannot ${name} VM "${this.id}": its hypervisor has ended`,
      { details: { id: this.id, operation: name } },
    );
  }

  #checkNotDestroyed(name: string): void {
    if (!this.isBeingDestroyed) return;
    throw destroyedError(this.id, name);
  }

  #onGuestEnd(reason: ExitReason["reason"]): void {
    if (this.destroying !== undefined) return;
    this.#guestEnd = reason;
    this.logger.warn({ vm: this.id, reason }, "the guest ended; stopping its hypervisor");
    this.process.signal("SIGKILL");
  }

  async #onExit(exit: ProcessExit): Promise<ExitReason> {
    this.#stopWatching();
    this.#close();
    const requested = this.destroying !== undefined;
    const reason = await explainEnd(
      this,
      exit,
      this.#guestEnd ?? (requested ? "requested" : undefined),
    );
    this.exitReason = reason;
    if (this.#state !== "stopping" && this.#state !== "stopped" && !requested) {
      this.setState("failed");
      this.logger.error({ vm: this.id, ...reason }, "the hypervisor ended unexpectedly");
    }
    return reason;
  }
}
