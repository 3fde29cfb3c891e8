import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Sandbox } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { fakeHypervisor, withLeakCheck } from "@virga/testkit";
import { fakeHost } from "./fake-host.ts";
import type { PreemptedRun } from "./preempted-child.ts";
import { checkNoVm } from "./test-host.ts";
import { fakeHostOptions, onLifeStep } from "./use-fake-host.ts";

const child = fileURLToPath(new URL("./preempted-child.ts", import.meta.url));

/** Lets another process begin, and gives the lines it writes. */
function begin(run: PreemptedRun): AsyncIterator<string> {
  const flags = ["--conditions=virga-source", child, JSON.stringify(run)];
  const { stdout } = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
  return createInterface({ input: stdout })[Symbol.asyncIterator]();
}

/** Whether a hypervisor of that home has been started. */
async function hasVm({ home }: Pick<Host, "home">): Promise<boolean> {
  const names = (await readdir(home.vms)).filter((name) => name !== ".builds");
  const files = await Promise.all(names.map((name) => readdir(`${home.vms}/${name}`)));
  return files.some((each) => each.includes("vm.json"));
}

for (const work of ["cold create", "create"] as const) {
  test(`a destroy does not wait for who makes the sandbox: ${work} of a guest that never answers`, (t) =>
    withLeakCheck(t, async (place) => {
      const behaviour = { deafGuest: true };
      const fake = fakeHypervisor({ name: "qemu", directory: place.scratch, behaviour });
      const given = await fakeHostOptions(place, "qemu", fake);
      const host = await fakeHost(given);
      const lines = begin({ work, host: given });
      while (!(await hasVm(host))) await sleep(5);
      await (await Sandbox.connect("box", { host })).destroy();
      assert.equal((await lines.next()).value, "VM_DESTROYED");
      assert.equal((await lines.next()).done, true);
      await checkNoVm(host.home);
    }));
}

test("a sandbox that was destroyed before its maker had the lock is not made", (t) =>
  withLeakCheck(t, async (place) => {
    const given = await fakeHostOptions(place, "qemu");
    const host = await fakeHost(given);
    const steps: string[] = [];
    const stop = onLifeStep(({ sandbox, operation, step, phase }) => {
      if (operation !== "create" || phase !== "start") return;
      steps.push(step);
      // As a destroy of another process leaves it that found no lock to wait for.
      if (step === "directory") host.catalog.sandboxes.delete(sandbox);
    });
    const making = Sandbox.create({ host, cold: true, memoryMib: 96, vcpus: 1 });
    await assert.rejects(making, { code: "VM_DESTROYED" }).finally(stop);
    assert.deepEqual(steps, ["row", "directory"]);
    await checkNoVm(host.home);
  }));

test("a destroy does not wait for who hashes a snapshot of the sandbox", (t) =>
  withLeakCheck(t, async (place) => {
    const given = await fakeHostOptions(place, "qemu");
    const host = await fakeHost(given);
    const box = await Sandbox.create({ host, cold: true, name: "box", memoryMib: 96, vcpus: 1 });
    const lines = begin({ work: "snapshot", host: given });
    assert.equal((await lines.next()).value, "hashing");
    await box.destroy();
    assert.equal((await lines.next()).value, "VM_DESTROYED");
    assert.equal((await lines.next()).done, true);
    await checkNoVm(host.home);
  }));
