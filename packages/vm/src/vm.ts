import type { Duplex } from "node:stream";
import type { ResolvedVmConfig } from "./config/vm-config.ts";
import { isVirgaError } from "./errors.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { VmmInfo } from "./hypervisor/port.ts";
import type { Machine } from "./machine.ts";
import { checkLegal } from "./state.ts";
import type { VmState } from "./state.ts";

/** What is known of a VM now. */
export interface VmInfo {
  readonly id: string;
  readonly state: VmState;
  readonly pid: number;
  readonly hypervisor: string;
  readonly hypervisorVersion: string;
  readonly accelerator: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  /** Memory the guest has now (total minus balloon), where the hypervisor tells. Bytes. */
  readonly memoryActualBytes: number | undefined;
  /** How it was restored and why so; undefined for a booted VM. */
  readonly restore:
    | { readonly mode: string; readonly reason: string; readonly directory: string }
    | undefined;
  readonly createdAt: string;
  /** Milliseconds per step of its creation. */
  readonly timings: Readonly<Record<string, number>>;
  /** Whether the hypervisor itself answered, or only the record could be read (it is busy, or gone). */
  readonly source: "hypervisor" | "record";
  readonly exit: ExitReason | undefined;
}

/** One microVM. Made by a `VmManager`. */
export class Vm implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #destroy: () => Promise<void>;

  /** @internal */
  constructor(machine: Machine, destroy: () => Promise<void>) {
    this.#machine = machine;
    this.#destroy = destroy;
  }

  get id(): string {
    return this.#machine.id;
  }

  /** The configuration with every default applied. */
  get config(): ResolvedVmConfig {
    return this.#machine.context.config;
  }

  /** Process id of the hypervisor: the very process that was spawned. */
  get pid(): number {
    return this.#machine.process.identity.pid;
  }

  get state(): VmState {
    return this.#machine.state;
  }

  /** Resolves with the reason once the hypervisor has ended. Reading it keeps this Node process alive until then. */
  get exited(): Promise<ExitReason> {
    this.#machine.process.keepAlive(true);
    return this.#machine.exited.finally(() => this.#machine.process.keepAlive(false));
  }

  /** Asks the hypervisor; when it is busy with a long call or gone, the record answers. Legal in every state but `stopped`. */
  async info(options: { readonly signal?: AbortSignal } = {}): Promise<VmInfo> {
    const machine = this.#machine;
    checkLegal(machine.id, "info", machine.state);
    const { config, build } = machine.context;
    let live: VmmInfo | undefined;
    if (!machine.isBusy && machine.process.isAlive()) {
      try {
        live = await machine.control.info({
          timeoutMs: Math.min(config.timeouts.callMs, 1_000),
          signal: options.signal,
        });
      } catch (error) {
        if (!isVirgaError(error) || error.code === "ABORTED") throw error;
      }
      if (machine.state === "unknown" && live !== undefined) machine.told(live.state);
    }
    const seen =
      live !== undefined && (live.state === "running" || live.state === "paused")
        ? live.state
        : machine.state;
    return {
      id: machine.id,
      state: machine.state === "running" || machine.state === "paused" ? seen : machine.state,
      pid: this.pid,
      hypervisor: build.name,
      hypervisorVersion: build.version,
      accelerator: build.accelerator,
      vcpus: config.vcpus,
      memoryMib: config.memoryMib,
      memoryActualBytes: live?.memoryActualBytes,
      restore: machine.record.restore,
      createdAt: machine.record.createdAt,
      timings: machine.record.timings,
      source: live === undefined ? "record" : "hypervisor",
      exit: machine.exitReason,
    };
  }

  /**
   * Learns whether another process has paused or resumed it meanwhile, from its hypervisor, or from its record where that does not answer; then `state` tells. Legal
   * in every state.
   */
  async refresh(): Promise<VmState> {
    await this.#machine.refresh();
    return this.#machine.state;
  }

  /**
   * A byte stream to the agent in the guest. Retries while the guest does not listen yet; `TIMEOUT` after `timeoutMs`, `CAPACITY` when all connections
   * are in use for that long; `HYPERVISOR_EXITED` as soon as the hypervisor has ended. Legal in state `running`.
   */
  async connectGuest(options: {
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  }): Promise<Duplex> {
    const machine = this.#machine;
    await machine.clarify();
    checkLegal(machine.id, "connectGuest", machine.state);
    machine.checkAlive("connect to the guest of");
    const { timeoutMs, signal: given } = options;
    // Nobody listens at the socket of a hypervisor that has died, as at that of one whose guest is not ready yet. Never that signal itself: all would listen to it.
    const signal = AbortSignal.any(given === undefined ? [machine.ended] : [machine.ended, given]);
    try {
      return await machine.driver.connectGuest(machine.context, { timeoutMs, signal });
    } catch (error) {
      if (given?.aborted !== true) machine.checkAlive("connect to the guest of");
      throw error;
    }
  }

  /**
   * Watches the boot of this VM: `hung` as soon as its kernel is known to stand still for ever, as it may on busy hosts; then destroy the VM and create it
   * once more. `alive` once a program in the guest listens, and where the hypervisor knows no such hang. Legal in state `running`.
   */
  async watchBoot(options: { readonly signal: AbortSignal }): Promise<"alive" | "hung"> {
    const machine = this.#machine;
    await machine.clarify();
    checkLegal(machine.id, "connectGuest", machine.state);
    machine.checkAlive("connect to the guest of");
    return (await machine.driver.watchBoot?.(machine.context, options)) ?? "alive";
  }

  /** Destroys the VM. Resolves also when it is destroyed already. */
  async destroy(): Promise<void> {
    await this.#destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#destroy();
  }
}
