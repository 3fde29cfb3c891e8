import type { HypervisorDriver, HypervisorName, RestoreMode, Vm, VmConfig } from "@virga/vm";
import { VmManager } from "@virga/vm";
import type { TestPlace } from "../leaks/leak-count.ts";
import type { GuestProbe } from "./guest-probe.ts";

/** What the conformance suite is run on. */
export interface ConformanceSubject {
  readonly hypervisor: HypervisorName;
  readonly driver: HypervisorDriver;
  /** Path of the launcher. */
  launcher(): Promise<string>;
  /** A configuration that boots, with a writable root disk of its own. Called once for each VM, clones included. */
  config(place: TestPlace, id: string): Promise<VmConfig>;
  readonly guest: GuestProbe;
  /** How clones of a snapshot are made, beside the hypervisor's default way. */
  readonly restoreModes: readonly RestoreMode[];
  /** Whether a VM's balloon works, and what the hypervisor tells of it. */
  readonly hasBalloon: boolean;
  /** Whether VMMs may have namespaces of their own. Default `auto`: where this machine allows it. */
  readonly isolation?: "auto" | "off";
}

/** A manager on the place's directory. A second one stands for another process. */
export async function managerOn(subject: ConformanceSubject, place: TestPlace): Promise<VmManager> {
  const launcher = await subject.launcher();
  return new VmManager({
    directory: place.directory,
    launcher,
    drivers: [subject.driver],
    isolation: subject.isolation ?? "auto",
  });
}

/** Boots a VM whose guest answers. */
export async function bootVm(
  subject: ConformanceSubject,
  place: TestPlace,
  manager: VmManager,
  id: string,
): Promise<Vm> {
  const vm = await manager.create(await subject.config(place, id));
  await subject.guest.ping(vm);
  return vm;
}

/** Ends every VM of a manager, whatever its state. */
export async function destroyAll(manager: VmManager): Promise<void> {
  await Promise.all(manager.list().map((vm) => vm.destroy()));
}
