import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { managerOn, withLeakCheck, type ConformanceSubject } from "@virga/testkit";
import { vmLayout } from "../src/directory.ts";
import type { ExitReason } from "../src/exit-reason.ts";
import type { VmContext } from "../src/hypervisor/port.ts";
import { identifyProcess, isSameProcess } from "../src/launch/process-identity.ts";
import { readTail } from "../src/read-tail.ts";
import { readRecord, type VmRecord } from "../src/record.ts";
import type { Vm } from "../src/vm.ts";

// A VM outlives who started it, and its guest may end when nobody looks. A process of its own starts it: whoever did watches it.
const program = `
import { VmManager, cloudHypervisorDriver, qemuDriver } from "@virga/vm";
const [directory, launcher, config] = process.argv.slice(1);
const drivers = [cloudHypervisorDriver, qemuDriver()];
await new VmManager({ directory, launcher, drivers }).create(JSON.parse(config));
process.exit(0);
`;
const nodeOptions = ["--conditions=virga-source", "--input-type=module", "--eval", program];

/** Tests that a guest's end that nobody saw is known to whoever takes up its VM, before the VM can be used. */
export function testUnwatchedEnd(
  name: string,
  subject: ConformanceSubject,
  how: "poweroff" | "reboot" | "panic",
  reason: ExitReason["reason"],
): void {
  test(`${name}: a ${how} that nobody saw has ended the VM for whoever takes it up`, async (t) => {
    await withLeakCheck(t, async (place) => {
      const { driver, guest } = subject;
      const { directory } = place;
      const config = JSON.stringify(await subject.config(place, "vm"));
      const args = [...nodeOptions, directory, await subject.launcher(), config];
      const made = spawnSync(process.execPath, args, { encoding: "utf8" });
      assert.equal(made.status, 0, made.stderr);

      const vmDirectory = join(directory, "vm");
      const record = await readRecord(join(vmDirectory, "vm.json"));
      assert.ok(record !== undefined);
      const context = contextOf(record);
      const connectGuest: Vm["connectGuest"] = (options) => driver.connectGuest(context, options);
      const unwatched = { connectGuest } as Vm;
      await guest.ping(unwatched);
      await guest.end(unwatched, how);
      await untilEnded(record, context);

      const manager = await managerOn(subject, place);
      const vm = await manager.adopt(vmDirectory);
      assert.equal(vm.state, "failed");
      assert.equal((await vm.info()).exit?.reason, reason);
      assert.equal(identifyProcess(vm.pid), undefined);
      await vm.destroy();
    });
  });
}

function contextOf({ config, build, uuid, isolated }: VmRecord): VmContext {
  const layout = vmLayout(config.vmDirectory, config.socketName, isolated);
  return { config, build, uuid, layout };
}

/** Resolves once the hypervisor has ended, or has noted the guest's end and lives on, as Cloud Hypervisor does after a reboot. */
async function untilEnded({ process: vmm }: VmRecord, { layout }: VmContext): Promise<void> {
  assert.ok(vmm !== undefined);
  while (isSameProcess(vmm)) {
    const { bytes } = await readTail(layout.host.events, 64 * 1024);
    if (/"(rebooted|panic)"/.test(bytes.toString("utf8"))) return;
    await sleep(10);
  }
}
