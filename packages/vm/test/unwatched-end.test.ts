import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  askFakeGuest,
  fakeConfig,
  fakeHypervisor,
  testProgram,
  withLeakCheck,
} from "@virga/testkit";
import { vmLayout } from "../src/directory.ts";
import type { VmContext } from "../src/hypervisor/port.ts";
import { identifyProcess, isSameProcess } from "../src/launch/process-identity.ts";
import { readTail } from "../src/read-tail.ts";
import { readRecord } from "../src/record.ts";
import { VmManager } from "../src/vm-manager.ts";
import type { Vm } from "../src/vm.ts";
import { drivers } from "./with-fake.ts";

// A VM outlives who started it, and its guest may end when nobody looks. A process of its own starts it: whoever did watches it.
const program = `
import { VmManager, cloudHypervisorDriver, qemuDriver } from "@virga/vm";
const [directory, launcher, config] = process.argv.slice(1);
const drivers = [cloudHypervisorDriver, qemuDriver()];
await new VmManager({ directory, launcher, drivers }).create(JSON.parse(config));
process.exit(0);
`;
const nodeOptions = ["--conditions=virga-source", "--input-type=module", "--eval", program];

const ends = [
  { how: "poweroff", reason: "guest-poweroff" },
  { how: "reboot", reason: "guest-reboot" },
  { how: "panic", reason: "guest-panic" },
] as const;

for (const driver of drivers) {
  for (const { how, reason } of ends) {
    test(`${driver.name}: a ${how} that nobody saw has ended the VM for whoever takes it up`, async (t) => {
      await withLeakCheck(t, async (place) => {
        const launcher = await testProgram("launcher");
        const fake = fakeHypervisor({ name: driver.name, directory: place.scratch });
        const { directory } = place;
        const config = JSON.stringify(fakeConfig(place, "vm", fake));
        const made = spawnSync(process.execPath, [...nodeOptions, directory, launcher, config], {
          encoding: "utf8",
        });
        assert.equal(made.status, 0, made.stderr);

        const vmDirectory = join(directory, "vm");
        const context = await contextOf(vmDirectory);
        const connectGuest: Vm["connectGuest"] = (options) => driver.connectGuest(context, options);
        await askFakeGuest({ connectGuest } as Vm, how);
        await untilEnded(context);

        const manager = new VmManager({ directory, launcher, drivers });
        const vm = await manager.adopt(vmDirectory);
        assert.equal(vm.state, "failed");
        assert.equal((await vm.info()).exit?.reason, reason);
        assert.equal(identifyProcess(vm.pid), undefined);
        await vm.destroy();
      });
    });
  }
}

async function contextOf(directory: string): Promise<VmContext> {
  const record = await readRecord(join(directory, "vm.json"));
  assert.ok(record !== undefined);
  const { config, build, uuid, isolated } = record;
  return { config, build, uuid, layout: vmLayout(directory, config.socketName, isolated) };
}

/** Resolves once the hypervisor has ended, or has noted the guest's end and lives on, as Cloud Hypervisor does after a reboot. */
async function untilEnded({ layout }: VmContext): Promise<void> {
  const { process: vmm } = JSON.parse(readFileSync(layout.record, "utf8"));
  while (isSameProcess(vmm)) {
    const { bytes } = await readTail(layout.host.events, 64 * 1024);
    if (/"(rebooted|panic)"/.test(bytes.toString("utf8"))) return;
    await new Promise(setImmediate);
  }
}
