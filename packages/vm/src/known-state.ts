import { recordPath } from "./directory.ts";
import type { HypervisorControl, VmmState } from "./hypervisor/port.ts";
import type { Logger } from "./logger.ts";
import { RecordReader, recordPaused } from "./record.ts";
import type { VmRecord } from "./record.ts";
import { nextState } from "./state.ts";
import type { VmState } from "./state.ts";

/** How long to ask a VMM what a failed call has done. */
const FIND_OUT_MS = 1_000;

/** What is needed to know a VM's state. */
export interface KnownStateParts {
  readonly record: VmRecord;
  readonly state: VmState;
  /** The VM's directory, where its record lies. */
  readonly directory: string;
  readonly control: Pick<HypervisorControl, "info">;
  readonly logger: Logger;
  /** Ends questions to the VMM. */
  readonly signal: AbortSignal;
  /** Whether its VMM has ended, or a destroy of this process is about to end it: then nobody need be asked. */
  readonly isOver: () => boolean;
}

/**
 * What this process knows of a VM's state, and of its record. Another process may pause and resume the VM, and a call that failed may have had its effect all
 * the same: so the record is read again, and the VMM asked.
 */
export class KnownState {
  record: VmRecord;
  #current: VmState;
  readonly #parts: KnownStateParts;
  readonly #reader: RecordReader;

  constructor(parts: KnownStateParts) {
    this.record = parts.record;
    this.#current = parts.state;
    this.#parts = parts;
    this.#reader = new RecordReader(recordPath(parts.directory));
  }

  get current(): VmState {
    return this.#current;
  }

  set(state: VmState): void {
    if (this.#current === state) return;
    this.#current = nextState(this.#current, state);
    this.#parts.logger.debug({ vm: this.record.id, state }, "VM state");
  }

  /** Takes over what the VMM says of its VM, unless that has ended here. */
  told(state: VmmState): void {
    if (state !== "running" && state !== "paused") return;
    if (this.#isLive || this.#current === "unknown") this.set(state);
  }

  /** Sets the state after an operation, here and in the record. Called under the lock. `IO_ERROR` when the record cannot be kept: the state is set all the same. */
  settle(state: "running" | "paused"): void {
    this.told(state);
    recordPaused(this.#parts.directory, state === "paused");
    // Not before: what differs from the file would count as news of another process.
    this.record = { ...this.record, state };
  }

  /**
   * Another process may have paused or resumed it meanwhile: then the record has changed. One that is as it was tells nothing: its writer may have died
   * between the call and the record, and what the VMM itself said since counts more.
   */
  async readNews(): Promise<void> {
    if (!this.#isLive) return;
    const record = await this.#reader.read();
    if (record === undefined || record.uuid !== this.record.uuid) return;
    const isNews = record.state !== this.record.state;
    this.record = record;
    if (isNews && (record.state === "running" || record.state === "paused")) this.set(record.state);
  }

  /** Asks the VMM. False when it does not answer. */
  async ask(): Promise<boolean> {
    const { logger } = this.#parts;
    try {
      this.told(await this.#vmmState());
      return true;
    } catch (error) {
      logger.debug({ vm: this.record.id, error }, "the hypervisor does not tell the VM's state");
      return false;
    }
  }

  /** Asks the VMM what a call that failed has done, and records it: the state is `unknown` if it does not tell. Called under the lock. */
  async findOut(): Promise<void> {
    const { logger, isOver } = this.#parts;
    const vm = this.record.id;
    if (isOver()) return;
    try {
      const state = await this.#vmmState();
      if (state === "running" || state === "paused") {
        this.#settleIfRecordable(state);
        return;
      }
      logger.warn({ vm, state }, "the hypervisor is there, its VM is not");
    } catch (error) {
      logger.warn({ vm, error }, "cannot tell the VM's state after a failed call");
    }
    if (this.#isLive && !isOver()) this.set("unknown");
  }

  get #isLive(): boolean {
    return this.#current === "running" || this.#current === "paused";
  }

  async #vmmState(): Promise<VmmState> {
    const { control, signal } = this.#parts;
    return (await control.info({ timeoutMs: FIND_OUT_MS, signal })).state;
  }

  #settleIfRecordable(state: "running" | "paused"): void {
    try {
      this.settle(state);
    } catch (error) {
      this.#parts.logger.warn({ vm: this.record.id, state, error }, "cannot record the VM's state");
    }
  }
}
