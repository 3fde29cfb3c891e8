import { existsSync } from "node:fs";
import { VirgaError } from "./errors.ts";
import { explainEnd } from "./explain-end.ts";
import { destroyedError, explainFailure } from "./explain-failure.ts";
import type { ExitReason } from "./exit-reason.ts";
import { explainFullDisk } from "./full-disk.ts";
import type {
  HypervisorControl,
  HypervisorDriver,
  VmContext,
  VmmState,
} from "./hypervisor/port.ts";
import { KnownState } from "./known-state.ts";
import type { ProcessExit, VmmProcess } from "./launch/vmm-process.ts";
import { closeKeptLock } from "./kept-locks.ts";
import { acquireLock } from "./lock.ts";
import type { Logger } from "./logger.ts";
import type { VmRecord } from "./record.ts";
import { checkLegal } from "./state.ts";
import type { VmOperation, VmState } from "./state.ts";
import { Operation } from "./steps.ts";
import { TaskQueue } from "./task-queue.ts";
import { UndoStack } from "./undo.ts";

/** What a machine is made of. */
export interface MachineParts {
  readonly driver: HypervisorDriver;
  readonly context: VmContext;
  readonly control: HypervisorControl;
  readonly process: VmmProcess;
  readonly record: VmRecord;
  readonly logger: Logger;
}

/** A destroy that runs. */
export interface Destroying {
  readonly done: Promise<void>;
  /** Shortens its graces. */
  readonly hurry: AbortController;
}

/** One VM in this process: its state, its operations one at a time, and the watch over its VMM. Internal; users hold a `Vm`. */
export class Machine {
  readonly driver: HypervisorDriver;
  readonly context: VmContext;
  readonly control: HypervisorControl;
  readonly process: VmmProcess;
  readonly logger: Logger;
  /** Set by the one destroy that runs; all callers share it. */
  destroying: Destroying | undefined;
  exitReason: ExitReason | undefined;
  readonly exited: Promise<ExitReason>;
  /** Aborted when its VMM has ended, for what waits for the guest. */
  readonly ended: AbortSignal;
  readonly #preempt = new AbortController();
  readonly #queue = new TaskQueue();
  readonly #known: KnownState;
  #busy = 0;
  #guestEnd: ExitReason["reason"] | undefined;
  #stopWatching: () => void = () => undefined;

  constructor(parts: MachineParts, state: VmState) {
    this.driver = parts.driver;
    this.context = parts.context;
    this.control = parts.control;
    this.process = parts.process;
    this.logger = parts.logger;
    const { layout } = parts.context;
    this.#known = new KnownState({
      record: parts.record,
      state,
      directory: layout.directory,
      control: parts.control,
      logger: parts.logger,
      signal: this.#preempt.signal,
      isOver: () => this.destroying !== undefined || !this.process.isAlive(),
    });
    this.exited = this.process.exited.then((exit) => this.#onExit(exit));
    const end = new AbortController();
    this.ended = end.signal;
    void this.exited.then(() => end.abort());
    if (state !== "failed")
      this.#stopWatching = this.driver.watchGuest(this.context, (reason) =>
        this.endWithGuest(reason),
      );
  }

  get id(): string {
    return this.record.id;
  }

  get record(): VmRecord {
    return this.#known.record;
  }

  get state(): VmState {
    return this.#known.current;
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
    this.#known.set(state);
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
        await this.#known.readNews();
        if (this.state === "unknown") await this.#known.findOut();
        checkLegal(this.id, name, this.state);
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
      const explained = await explainFailure(this, name, error);
      // A snapshot has said it itself: it also writes elsewhere.
      if (name === "snapshot") throw explained;
      throw await explainFullDisk(explained, layout.directory);
    } finally {
      this.#busy--;
    }
  }

  /**
   * Pauses or resumes, inside an operation. A call that failed may have had its effect all the same, or may yet have it when nobody waits for it any more:
   * then the VMM is asked, and the state is `unknown` if it does not tell.
   */
  async change(
    operation: Operation,
    step: "pause" | "resume",
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const timeoutMs = this.context.config.timeouts.callMs;
    try {
      await operation.step(step, () => this.control[step]({ timeoutMs, signal }));
    } catch (error) {
      await this.#known.findOut();
      throw error;
    }
    this.#known.settle(step === "pause" ? "paused" : "running");
  }

  /** Closes what is kept open for the next operation. */
  #close(): void {
    this.control.close();
    closeKeptLock(this.context.layout.lock);
  }

  /** Takes over what the VMM says of its VM, unless that has ended here. */
  told(state: VmmState): void {
    this.#known.told(state);
  }

  /** Asks the VMM for the VM's state, unless an operation of this process is about to change it. */
  async refresh(): Promise<void> {
    if (this.isBusy || !this.process.isAlive()) return;
    if (!(await this.#known.ask())) await this.#known.readNews();
  }

  /** Asks the VMM once more where nobody could tell the VM's state. */
  async clarify(): Promise<void> {
    if (this.state === "unknown" && this.process.isAlive()) await this.#known.ask();
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

  /** Ends the VMM of a guest that has ended. */
  endWithGuest(reason: ExitReason["reason"]): void {
    if (this.destroying !== undefined || this.#guestEnd !== undefined) return;
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
    if (this.state !== "stopping" && this.state !== "stopped" && !requested) {
      this.setState("failed");
      this.logger.error({ vm: this.id, ...reason }, "the hypervisor ended unexpectedly");
    }
    return reason;
  }
}
