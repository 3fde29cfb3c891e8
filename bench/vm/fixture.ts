import { rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentClient } from "@virga/guest";
import { agentInitramfs, makePlace, removePlace, testAssets, type TestPlace } from "@virga/testkit";
import {
  VmManager,
  chooseHypervisor,
  cloudHypervisorDriver,
  probeHypervisors,
  qemuDriver,
  type HypervisorDriver,
  type HypervisorName,
  type MemoryForm,
  type RestoreMode,
  type Vm,
  type VmConfig,
} from "@virga/vm";
import { blueprintOf, type Blueprint } from "./blueprint.ts";
import { rawCloudHypervisor } from "./raw-cloud-hypervisor.ts";
import { rawQemu } from "./raw-qemu.ts";
import type { RawHypervisor, RawVm } from "./raw-vm.ts";

const memoryMib = 512;
const callMs = 300_000;

/** What clones are made from. */
export interface BenchTemplate {
  readonly snapshot: string;
  readonly config: Omit<VmConfig, "sandboxId">;
  readonly blueprint: Blueprint;
  readonly mode: RestoreMode;
}

/** A place for VMs of both kinds on one hypervisor. */
export class VmFixture {
  readonly manager: VmManager;
  readonly raw: RawHypervisor;
  readonly #driver: HypervisorDriver;
  readonly #launcher: string;
  readonly #hypervisor: HypervisorName;
  readonly #files: Pick<VmConfig, "kernel" | "initramfs">;
  readonly #place: TestPlace;
  readonly #rawVms = new Set<RawVm>();
  #count = 0;

  private constructor(
    driver: HypervisorDriver,
    files: Pick<VmConfig, "kernel" | "initramfs">,
    launcher: string,
  ) {
    this.#driver = driver;
    this.#launcher = launcher;
    this.#hypervisor = driver.name;
    this.#files = files;
    this.#place = makePlace();
    this.raw = driver.name === "qemu" ? rawQemu : rawCloudHypervisor;
    this.manager = this.newManager();
  }

  /** A manager that knows none of the VMs yet, as one of another process. */
  newManager(): VmManager {
    const { directory } = this.#place;
    return new VmManager({ directory, launcher: this.#launcher, drivers: [this.#driver] });
  }

  /** `UNSUPPORTED` where the hypervisor cannot run guests. */
  static async open(hypervisor: HypervisorName): Promise<VmFixture> {
    const { vmlinux, launcher, home } = await testAssets();
    const drivers = [
      cloudHypervisorDriver,
      qemuDriver({ accelerator: "kvm" }),
      qemuDriver({ accelerator: "tcg" }),
    ];
    const probe = { launcher, kernel: vmlinux, cacheDirectory: home.run };
    const chosen = chooseHypervisor(await probeHypervisors({ drivers, ...probe }), hypervisor);
    const driver = drivers.find(
      (one) => one.name === chosen.name && one.accelerator === chosen.accelerator,
    );
    if (driver === undefined) throw new Error(`no driver for ${hypervisor}`);
    return new VmFixture(driver, { kernel: vmlinux, initramfs: await agentInitramfs() }, launcher);
  }

  /** A configuration that boots the agent. */
  config(memoryForm: MemoryForm = "file"): VmConfig {
    return {
      sandboxId: this.#name(),
      hypervisor: this.#hypervisor,
      memoryMib,
      memoryForm,
      ...(memoryForm === "file" && { balloon: false }),
      ...this.#files,
      kernelArguments: ["quiet"],
      timeouts: { launchMs: 60_000, callMs: 60_000, longCallMs: callMs },
    };
  }

  /** A directory that does not exist yet. */
  newDirectory(): string {
    return join(this.#place.scratch, this.#name());
  }

  async blueprint(vm: Vm): Promise<Blueprint> {
    return blueprintOf(vm, (await this.manager.isolation()).isolated);
  }

  /** Notes a raw VM, so that {@link close} ends it. */
  async keep(vm: Promise<RawVm>): Promise<RawVm> {
    const started = await vm;
    this.#rawVms.add(started);
    return started;
  }

  async destroyRaw(vm: RawVm): Promise<void> {
    await vm.destroy();
    this.#rawVms.delete(vm);
  }

  /** Boots the blueprint for raw boots, and forgets it. */
  async bootBlueprint(config: VmConfig): Promise<Blueprint> {
    const vm = await this.manager.create(config);
    const blueprint = await this.blueprint(vm);
    await vm.destroy();
    return blueprint;
  }

  /** Makes a snapshot of a guest that waits for `init`, and the blueprint of its clones. */
  async template(mode: RestoreMode): Promise<BenchTemplate> {
    // Cloud Hypervisor fills only anonymous memory by itself.
    const form = mode === "shared" || this.#hypervisor === "qemu" ? "file" : "anonymous";
    const boot = this.config(form);
    const snapshot = this.newDirectory();
    {
      await using vm = await this.manager.create(boot);
      const agent = agentOf(vm);
      await agent.ping();
      await agent.prepare();
      await agent.close();
      await this.manager.pause(vm.id);
      await this.manager.snapshot(vm.id, snapshot);
    }
    const { kernel: _kernel, initramfs: _initramfs, ...rest } = boot;
    const config = { ...rest, restoreMode: mode };
    await using clone = await this.manager.createFromSnapshot(
      { ...config, sandboxId: this.#name() },
      snapshot,
    );
    return { snapshot, config, blueprint: await this.blueprint(clone), mode };
  }

  /** A VM of Virga's from the template. */
  clone({ config, snapshot }: BenchTemplate): Promise<Vm> {
    return this.manager.createFromSnapshot({ ...config, sandboxId: this.#name() }, snapshot);
  }

  /** The same by hand. */
  cloneRaw({ blueprint, snapshot, mode }: BenchTemplate): Promise<RawVm> {
    const directory = this.newDirectory();
    return this.keep(this.raw.clone({ blueprint, directory, snapshot, mode }));
  }

  async removeDirectory(directory: string): Promise<void> {
    await rm(directory, { recursive: true });
  }

  async close(): Promise<void> {
    for (const vm of this.#rawVms) await vm.kill();
    for (const vm of this.manager.list()) await vm.destroy();
    await removePlace(this.#place);
  }

  #name(): string {
    return `b${this.#count++}`;
  }
}

/** The agent of a VM, whoever started it. */
export function agentOf(vm: Vm | RawVm): AgentClient {
  const connect: ConstructorParameters<typeof AgentClient>[0]["connect"] = (options) =>
    "config" in vm ? vm.connectGuest(options) : vm.connect();
  return new AgentClient({ connect, timeoutMs: callMs });
}
