import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  agentInitramfs,
  expectEveryPort,
  qemuConfig,
  qemuSubject,
  seededDraw,
  soakChannel,
  testAssets,
  withLeakCheck,
} from "@virga/testkit";
import { vmLayout } from "../src/directory.ts";
import { withQmp } from "../src/hypervisor/qemu/qmp-session.ts";
import { VmManager } from "../src/index.ts";
import type { Vm } from "../src/index.ts";

/** A port is dead when it has lost this many descriptors. */
const DESCRIPTORS = 128;

/**
 * Boots a VM with the real agent and soaks its guest channel: no byte may be mixed or lost, nothing may fail, and every port must be alive afterwards.
 * The seed is printed, and taken from `VIRGA_SEED` to repeat a run.
 */
export async function testChannelSoak(
  t: TestContext,
  { processes, rounds }: { readonly processes: number; readonly rounds: number },
): Promise<void> {
  const { seed } = seededDraw();
  t.diagnostic(`seed ${seed}`);
  await withLeakCheck(t, async (place) => {
    const { launcher } = await testAssets();
    const { directory } = place;
    const manager = new VmManager({ directory, launcher, drivers: [qemuSubject.driver] });
    const config = { ...(await qemuConfig(place, "soak")), initramfs: await agentInitramfs() };
    await using vm = await manager.create({ ...config, memoryMib: 256 });
    await expectEveryPort(vm);
    const { vmDirectory } = vm.config;
    const reports = await soakChannel(
      { directory, vmDirectory, launcher },
      { processes, rounds, seed },
    );
    for (const report of reports) t.diagnostic(JSON.stringify(report).slice(0, 2000));
    for (const { mixes, failures } of reports)
      assert.deepEqual({ mixes, failures }, { mixes: [], failures: [] });
    assert.equal(
      reports.reduce((sum, report) => sum + report.rounds, 0),
      processes * rounds,
    );
    assert.ok(reports.every(({ whole, aborted }) => whole > 0 && aborted > 0));
    await expectEveryPort(vm);
    const lost = await lostDescriptors(vm);
    t.diagnostic(`descriptors lost per port: ${lost.join(" ")}`);
    assert.ok(Math.max(...lost) < DESCRIPTORS / 2, "ports lose descriptors");
  });
}

/** Descriptors of each port's way out that QEMU holds although nobody is connected. */
async function lostDescriptors({ config }: Vm): Promise<number[]> {
  const layout = vmLayout(config.vmDirectory, config.socketName, false);
  return withQmp(layout.host.qmpReads, { timeoutMs: 10_000 }, async (qmp) => {
    const lost: number[] = [];
    for (let port = 1; port <= 16; port++) {
      const status = await qmp.execute("x-query-virtio-queue-status", {
        path: "/machine/peripheral/channel/virtio-backend",
        // Two queues for port 0, two for control, then two for each port: in and out.
        queue: 2 * port + 3,
      });
      lost.push(Number((status as Record<string, unknown>)["inuse"]));
    }
    return lost;
  });
}
