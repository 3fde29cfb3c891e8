import { isAbsolute, join } from "node:path";
import { adoptMachine } from "./adopt-vm.ts";
import { changeBalloon } from "./change-balloon.ts";
import { isRecord } from "./config/value-check.ts";
import type { HypervisorName, ResolvedVmConfig, VmConfig } from "./config/vm-config.ts";
import { destroyMachine } from "./destroy-vm.ts";
import { VirgaError } from "./errors.ts";
import type { HypervisorDriver, SnapshotSource } from "./hypervisor/port.ts";
import { forgetReplaced } from "./forget-replaced.ts";
import { identifyBuild } from "./identify-build.ts";
import { probeIsolation } from "./launch/isolation.ts";
import type { Isolation } from "./launch/isolation.ts";
import { silentLogger } from "./logger.ts";
import type { Logger } from "./logger.ts";
import { MachineTable } from "./machine-table.ts";
import type { Destroying, Machine } from "./machine.ts";
import type { OperationOptions, RestoreOptions, VmManagerOptions } from "./manager-options.ts";
import type { RecoveryOutcome } from "./recover-directory.ts";
import { recoverVm, recoverVms } from "./recover-vms.ts";
import type { RecoverVmsOptions } from "./recover-vms.ts";
import { resolveConfig } from "./resolve-config.ts";
import type { ResolveContext } from "./resolve-config.ts";
import { prepareMachineSnapshot, snapshotMachine } from "./snapshot-vm.ts";
import type { SnapshotOptions } from "./snapshot-vm.ts";
import { checkSource } from "./snapshot/check-source.ts";
import { readSnapshot } from "./snapshot/check.ts";
import type { SnapshotManifest } from "./snapshot/manifest.ts";
import { startVm } from "./start-vm.ts";
import { Vm } from "./vm.ts";

/** The life of microVMs: create, pause, resume, balloon, snapshot, restore, destroy. */
export class VmManager {
  readonly #options: VmManagerOptions;
  readonly #logger: Logger;
  readonly #table = new MachineTable();
  readonly #vms = new WeakMap<Machine, Vm>();
  #isolation: Promise<Isolation> | undefined;

  constructor(options: VmManagerOptions) {
    if (!isAbsolute(options.directory)) {
      throw new VirgaError(
        "INVALID_ARGUMENT",
        `The manager's directory must be an absolute path, not ${JSON.stringify(options.directory)}`,
      );
    }
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Whether VMMs get namespaces of their own here, and why. Found out once. */
  async isolation(): Promise<Isolation> {
    if (this.#options.isolation === "off") return { isolated: false, reason: "switched off" };
    this.#isolation ??= probeIsolation(this.#options.launcher);
    return this.#isolation;
  }

  /**
   * Boots a new VM. The network namespace and the TAP device must exist already. A failing step leaves nothing behind; its name is in `details.step`.
   * `INVALID_CONFIG` names every problem at once.
   */
  async create(config: VmConfig, options: OperationOptions = {}): Promise<Vm> {
    const resolved = await resolveConfig(config, "boot", this.#resolveContext());
    return this.#start(resolved, undefined, "", options.signal);
  }

  /**
   * Restores a VM from a snapshot and lets it run, in one call where the hypervisor can. Any number of VMs may be restored from one snapshot at the same time,
   * each with writable disks of its own. `SNAPSHOT_INVALID` and `SNAPSHOT_MISMATCH` come before any process is started.
   */
  async createFromSnapshot(
    config: VmConfig,
    snapshotDirectory: string,
    options: RestoreOptions = {},
  ): Promise<Vm> {
    // A string would be spread into its letters: what is no object is told as it is.
    const restored = isRecord(config) ? { ...config, snapshotDirectory } : config;
    const resolved = await resolveConfig(restored, "restore", this.#resolveContext());
    const manifest = await readSnapshot(snapshotDirectory);
    const reason =
      options.reason ??
      (config.restoreMode === undefined ? "default of the hypervisor" : "asked for");
    return this.#start(
      resolved,
      { manifest, mode: resolved.restoreMode, directory: snapshotDirectory },
      reason,
      options.signal,
    );
  }

  /** Pauses a running VM. */
  async pause(id: string, options: OperationOptions = {}): Promise<void> {
    const machine = this.#table.find(id);
    await machine.operate("pause", options.signal, (operation, signal) =>
      machine.change(operation, "pause", signal),
    );
    this.#logger.info({ vm: id }, "VM paused");
  }

  /** Resumes a paused VM. */
  async resume(id: string, options: OperationOptions = {}): Promise<void> {
    const machine = this.#table.find(id);
    await machine.operate("resume", options.signal, (operation, signal) =>
      machine.change(operation, "resume", signal),
    );
    this.#logger.info({ vm: id }, "VM resumed");
  }

  /** Takes `amountMib` of memory from a running guest; 0 gives all back. `INVALID_ARGUMENT` for more than the guest has, `UNSUPPORTED` without a balloon. */
  async updateBalloon(
    id: string,
    amountMib: number,
    options: OperationOptions = {},
  ): Promise<void> {
    await changeBalloon(this.#table.find(id), amountMib, options.signal);
  }

  /**
   * Does ahead, while the VM runs, what its next snapshot would otherwise do while it stands: copies the memory file it shares with its siblings. Optional.
   * Legal in states `running` and `paused`.
   */
  async prepareSnapshot(id: string, options: OperationOptions = {}): Promise<void> {
    const machine = this.#table.find(id);
    await machine.operate("prepareSnapshot", options.signal, (operation, signal) =>
      prepareMachineSnapshot(machine, operation, signal),
    );
  }

  /** Writes memory and device state of a paused VM into `directory` (absent or empty). Disks are not included. The VM stays paused unless `resume` is set. */
  async snapshot(
    id: string,
    directory: string,
    options: SnapshotOptions = {},
  ): Promise<SnapshotManifest> {
    const machine = this.#table.find(id);
    const manifest = await machine.operate("snapshot", options.signal, (operation, signal, undo) =>
      snapshotMachine(machine, directory, operation, signal, undo, options),
    );
    const { wholeBecause } = manifest.memory;
    const saved =
      wholeBecause === undefined ? { memory: "changes" } : { memory: "whole", wholeBecause };
    this.#logger.info({ vm: id, directory, ...saved }, "VM snapshot created");
    return manifest;
  }

  /** Stops a VM and removes everything of it. Goes before any running operation of it. Concurrent calls share one outcome, and the abort of any of them shortens the graces. */
  async destroy(id: string, options: OperationOptions = {}): Promise<void> {
    await this.#destroyMachine(this.#table.find(id), options.signal);
  }

  /** A VM of this manager, if there is one. */
  get(id: string): Vm | undefined {
    const machine = this.#table.get(id);
    return machine === undefined ? undefined : this.#vm(machine);
  }

  /** The VMs of this manager, failed ones included. */
  list(): Vm[] {
    return this.#table.all().map((machine) => this.#vm(machine));
  }

  /** Takes up the VM in `directory` that another process started. `VM_NOT_OURS` unless it is surely that VM; one whose VMM is gone is listed as failed. */
  async adopt(directory: string): Promise<Vm> {
    const machine = await adoptMachine(directory, this.#table, {
      driverOf: (name) => this.#driver(name),
      logger: this.#logger,
    });
    return this.#vm(machine);
  }

  /**
   * Goes through the manager's directory: rolls back what dead processes left unfinished, adopts what lives. Returns what was found, by id. A VM that cannot be
   * recovered does not keep the others from it; the first error of such comes at the end.
   */
  async recover(): Promise<ReadonlyMap<string, RecoveryOutcome>> {
    return recoverVms(this.#recovery());
  }

  /**
   * As {@link recover}, for one id. Undefined when there is no directory of that id, or the VM is one of this manager's already. One of this manager's that has
   * ended, and that another process has removed or replaced since, is forgotten first.
   */
  async recoverVm(id: string): Promise<RecoveryOutcome | undefined> {
    return recoverVm(id, this.#recovery());
  }

  #recovery(): RecoverVmsOptions {
    return {
      root: this.#options.directory,
      table: this.#table,
      adopt: (directory) => this.adopt(directory),
      logger: this.#logger,
    };
  }

  #resolveContext(): ResolveContext {
    const isolated = async (): Promise<boolean> => (await this.isolation()).isolated;
    return { directory: this.#options.directory, isolated };
  }

  async #start(
    config: ResolvedVmConfig,
    source: SnapshotSource | undefined,
    restoreReason: string,
    signal: AbortSignal | undefined,
  ): Promise<Vm> {
    const id = config.sandboxId;
    // Its place may be free: another process may have destroyed that one.
    await forgetReplaced(this.#table, id, config.vmDirectory);
    const machine = await this.#table.start(id, async () => {
      const driver = this.#driver(config.hypervisor);
      const build = await identifyBuild(
        driver,
        config.binary,
        join(this.#options.directory, ".builds"),
        { timeoutMs: config.timeouts.callMs, signal },
      );
      const { isolated } = await this.isolation();
      if (source !== undefined) await checkSource(source, config, build, isolated);
      this.#logger.info(
        { vm: id, hypervisor: driver.name, vcpus: config.vcpus, memoryMib: config.memoryMib },
        source === undefined ? "creating VM" : "restoring VM",
      );
      return startVm({
        config,
        driver,
        build,
        launcher: this.#options.launcher,
        isolated,
        diesWithParent: this.#options.endsWithProcess ?? false,
        source,
        restoreReason,
        signal,
        logger: this.#logger,
      });
    });
    this.#logger.info({ vm: id, pid: machine.process.identity.pid }, "VM started");
    return this.#vm(machine);
  }

  #driver(name: HypervisorName): HypervisorDriver {
    const driver = this.#options.drivers.find((candidate) => candidate.name === name);
    if (driver !== undefined) return driver;
    throw new VirgaError("UNSUPPORTED", `This manager has no driver for ${name}`, {
      details: { hypervisor: name },
    });
  }

  #vm(machine: Machine): Vm {
    let vm = this.#vms.get(machine);
    if (vm === undefined) {
      vm = new Vm(machine, () => this.#destroyMachine(machine, undefined));
      this.#vms.set(machine, vm);
    }
    return vm;
  }

  async #destroyMachine(machine: Machine, signal: AbortSignal | undefined): Promise<void> {
    if (machine.state === "stopped") return;
    machine.destroying ??= this.#beginDestroy(machine);
    const { done, hurry } = machine.destroying;
    // Whoever loses patience shortens the graces for all who wait.
    const onAbort = (): void => hurry.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await done;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #beginDestroy(machine: Machine): Destroying {
    this.#logger.info({ vm: machine.id }, "destroying VM");
    const hurry = new AbortController();
    const done = destroyMachine(machine, hurry.signal).then(
      () => {
        this.#table.delete(machine);
        this.#logger.info({ vm: machine.id }, "VM destroyed");
      },
      (error: unknown) => {
        // It may be tried again.
        machine.destroying = undefined;
        throw error;
      },
    );
    return { done, hurry };
  }
}
