import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import {
  fakeConfig,
  fakeHypervisor,
  testProgram,
  withLeakCheck,
  type Behaviour,
  type FakeHypervisor,
  type TestPlace,
} from "@virga/testkit";
import type { VmConfig } from "../src/config/vm-config.ts";
import type { HypervisorDriver } from "../src/hypervisor/port.ts";
import { cloudHypervisorDriver } from "../src/hypervisor/cloud-hypervisor/driver.ts";
import { qemuDriver } from "../src/hypervisor/qemu/driver.ts";
import type { Logger } from "../src/logger.ts";
import { VmManager } from "../src/vm-manager.ts";
import type { Vm } from "../src/vm.ts";

/** Every driver there is. */
export const drivers: readonly HypervisorDriver[] = [cloudHypervisorDriver, qemuDriver()];

/** A manager whose hypervisor is a fake. */
export interface FakeBench {
  readonly place: TestPlace;
  readonly fake: FakeHypervisor;
  readonly manager: VmManager;
  /** Sentences the manager logged. */
  readonly log: readonly string[];
  readonly config: (id: string, more?: Partial<VmConfig>) => VmConfig;
  /** Another manager on the same directory, as another process would have. */
  readonly another: () => VmManager;
  /** A running VM. */
  readonly boot: (id: string, more?: Partial<VmConfig>) => Promise<Vm>;
}

/** Runs `body` with a fake of the driver's hypervisor. What it leaves behind fails the test. */
export async function withFake(
  t: TestContext,
  driver: HypervisorDriver,
  behaviour: Behaviour,
  body: (bench: FakeBench) => Promise<void>,
): Promise<void> {
  const launcher = await testProgram("launcher");
  await withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: driver.name, directory: place.scratch, behaviour });
    const log: string[] = [];
    const note = (_fields: object, message: string): void => void log.push(message);
    const logger: Logger = { debug: note, info: note, warn: note, error: note };
    const make = () =>
      new VmManager({ directory: place.directory, launcher, drivers: [driver], logger });
    const manager = make();
    const config = (id: string, more: Partial<VmConfig> = {}): VmConfig => {
      const base = fakeConfig(place, id, fake);
      return { ...base, ...more, timeouts: { ...base.timeouts, ...more.timeouts } };
    };
    await body({
      place,
      fake,
      manager,
      log,
      config,
      another: make,
      boot: (id, more) => manager.create(config(id, more)),
    });
  });
}

/** A test on the fake of every driver's hypervisor. */
export function testOnFakes(
  name: string,
  behaviour: Behaviour,
  body: (bench: FakeBench) => Promise<void>,
): void {
  for (const driver of drivers) {
    test(`${driver.name}: ${name}`, (t) => withFake(t, driver, behaviour, body));
  }
}

/** Fails unless nothing of any VM is left in the directory: the leak check looks at everything else. */
export function assertNothing({ place, manager }: FakeBench): void {
  assert.deepEqual(manager.list(), []);
  assert.deepEqual(
    readdirSync(place.directory).filter((name) => name !== ".builds"),
    [],
  );
}

/** Waits until the fake has begun a call that is not in its log yet. The test's own limit bounds it. */
export async function untilCalled(fake: FakeHypervisor, calls: readonly string[]): Promise<void> {
  const before = fake.calls().length;
  const begun = (): boolean =>
    fake
      .calls()
      .slice(before)
      .some(({ call, phase }) => calls.includes(call) && phase === "start");
  while (!begun()) {
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
