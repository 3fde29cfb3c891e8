import assert from "node:assert/strict";
import type { Sandbox } from "@virga/sandbox";
import { askFakeGuest } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import type { HypervisorName, Vm } from "@virga/vm";
import { counted, countsOn, say, startCounter } from "./life.ts";
import type { KillHostOptions } from "./kill-life-host.ts";
import { buildSmallImage } from "./small-image.ts";
import { testHome } from "./test-host.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

/** Where operations are cut off, and how to tell a guest that has forgotten something from one that has not. */
export interface KillLifeSubject {
  readonly options: KillHostOptions;
  /** Gives a new guest something to remember. */
  readonly teach: (sandbox: Sandbox) => Promise<void>;
  /** Fails unless the guest answers and remembers, and what runs in it goes on. */
  readonly checkMemory: (sandbox: Sandbox, vm: Vm) => Promise<void>;
  /** Fails unless the guest answers and has nothing to remember. */
  readonly checkBlank: (sandbox: Sandbox, vm: Vm) => Promise<void>;
}

const SECRET = "what-it-remembers";

/** Sandboxes on a fake, whose guests remember a word. */
export async function fakeKillSubject(
  place: TestPlace,
  hypervisor: HypervisorName,
): Promise<KillLifeSubject> {
  const recall = (vm: Vm): Promise<string> => askFakeGuest(vm, "recall memory");
  return {
    options: await fakeHostOptions(place, hypervisor),
    teach: async ({ vm }) => void (await askFakeGuest(vm, `note memory ${SECRET}`)),
    checkMemory: async (_, vm) => assert.equal(await recall(vm), SECRET),
    checkBlank: async (_, vm) => assert.equal(await recall(vm), ""),
  };
}

/** Real guests with a disk, in each of which a process counts in memory and writes what it counts to the disk. */
export async function realKillSubject(
  place: TestPlace,
  hypervisor: HypervisorName,
): Promise<KillLifeSubject> {
  await buildSmallImage(place, await testHome(place), "small");
  return {
    options: { place, hypervisor },
    teach: async (sandbox) => {
      await startCounter(sandbox, SECRET);
      await countsOn(sandbox, SECRET, 0);
    },
    checkMemory: async (sandbox) => {
      const before = await counted(sandbox, SECRET);
      assert.ok(before > 0, "what was on its disk is there");
      await countsOn(sandbox, SECRET, before);
    },
    checkBlank: async (sandbox) => assert.equal(await say(sandbox, "echo /srv/*"), "/srv/*"),
  };
}
