import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HypervisorDriver, VmConfig } from "@virga/vm";
import { testProgram } from "../assets.ts";
import { fakeHypervisor, type FakeHypervisor } from "../fakes/fake-hypervisor.ts";
import type { TestPlace } from "../leaks/leak-count.ts";
import type { ConformanceSubject } from "./conformance-subject.ts";
import { fakeGuestProbe } from "./fake-guest-probe.ts";

const DISK_BYTES = 2 ** 20;

/** Short graces: a fake answers in milliseconds, and one that does not is meant not to. */
const TIMEOUTS = { callMs: 3000, longCallMs: 5000, shutdownMs: 300, terminateMs: 300 } as const;

/** A VM's configuration on a fake: a kernel that is a name only, and a root disk of its own. */
export function fakeConfig(place: TestPlace, id: string, fake: FakeHypervisor): VmConfig {
  const [kernel, rootfs] = [join(place.scratch, "kernel"), join(place.scratch, `${id}.disk`)];
  writeFileSync(kernel, "");
  writeFileSync(rootfs, "");
  truncateSync(rootfs, DISK_BYTES);
  return {
    sandboxId: id,
    hypervisor: fake.name,
    binary: fake.binary,
    kernel,
    rootfs: { path: rootfs },
    memoryMib: 64,
    timeouts: TIMEOUTS,
  };
}

/** A conformance subject whose hypervisor is a fake: one for each test, in its scratch folder. */
export function fakeSubject(options: {
  readonly driver: HypervisorDriver;
  readonly restoreModes: ConformanceSubject["restoreModes"];
  readonly config?: Partial<VmConfig>;
  readonly isolation?: "auto" | "off";
}): ConformanceSubject {
  const { driver } = options;
  const fakes = new WeakMap<TestPlace, FakeHypervisor>();
  return {
    hypervisor: driver.name,
    driver,
    launcher: () => testProgram("launcher"),
    config: async (place, id) => {
      const fake =
        fakes.get(place) ?? fakeHypervisor({ name: driver.name, directory: place.scratch });
      fakes.set(place, fake);
      return { ...fakeConfig(place, id, fake), ...options.config };
    },
    guest: fakeGuestProbe,
    restoreModes: options.restoreModes,
    isolation: options.isolation ?? "auto",
    hasBalloon: options.config?.balloon ?? driver.name === "cloud-hypervisor",
  };
}
