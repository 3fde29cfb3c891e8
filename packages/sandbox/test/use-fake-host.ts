import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Host } from "@virga/sandbox";
import { fakeHypervisor, testProgram } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import type { HypervisorName } from "@virga/vm";
import type { Access } from "../src/life/access.ts";
import type { LifeStepMessage } from "../src/life/life-operation.ts";
import { fakeHost } from "./fake-host.ts";
import type { FakeHostOptions } from "./fake-host.ts";

/** A host on a fake hypervisor in a test's place. */
export async function fakeHostOptions(
  place: TestPlace,
  hypervisor: HypervisorName,
  fake = fakeHypervisor({ name: hypervisor, directory: place.scratch }),
): Promise<FakeHostOptions> {
  return {
    directory: join(place.scratch, "home"),
    hypervisor,
    binary: fake.binary,
    launcher: await testProgram("launcher"),
  };
}

/** Tells `onStep` of each step in the life of this process's sandboxes, until what it gives is called. */
export function onLifeStep(onStep: (message: LifeStepMessage) => void): () => void {
  const listener = (message: unknown): void => onStep(message as LifeStepMessage);
  subscribe("virga:sandbox:step", listener);
  return () => void unsubscribe("virga:sandbox:step", listener);
}

/** Opens one on a fake QEMU, and tells `onStep` of each step in the life of its sandboxes until the test ends. */
export async function useFakeHost(
  t: TestContext,
  place: TestPlace,
  onStep: (message: LifeStepMessage) => void,
): Promise<Host & Access> {
  t.after(onLifeStep(onStep));
  return fakeHost(await fakeHostOptions(place, "qemu"));
}
