import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { rejectsWithCode } from "@virga/testkit";
import { assertNothing, drivers, testOnFakes, untilCalled, withFake } from "./with-fake.ts";

testOnFakes("a stopped process times out, and can be destroyed", {}, async ({ boot, manager }) => {
  const vm = await boot("vm", { timeouts: { callMs: 1000 } });
  process.kill(vm.pid, "SIGSTOP");
  await rejectsWithCode(manager.pause("vm"), "TIMEOUT");
  assert.equal((await vm.info()).source, "record");
  await vm.destroy();
});

testOnFakes(
  "one that ignores everything but SIGKILL is killed",
  {},
  async ({ boot, fake, log }) => {
    const vm = await boot("vm", { timeouts: { shutdownMs: 100, terminateMs: 100 } });
    fake.set({ ignoreSigterm: true, calls: { quit: { do: "hang" } } });
    await vm.destroy();
    assert.equal(vm.state, "stopped");
    assert.ok(log.includes("VMM did not end when asked"), log.join("; "));
  },
);

testOnFakes("destroy goes before a call that hangs", {}, async ({ boot, manager, fake }) => {
  // With the deadline of the hung call destroy would not end within the test's time.
  const vm = await boot("vm", { timeouts: { callMs: 3_600_000 } });
  fake.set({ calls: { pause: { do: "hang" } } });
  const pause = rejectsWithCode(manager.pause("vm"), "VM_DESTROYED");
  const next = rejectsWithCode(manager.pause("vm"), "VM_DESTROYED");
  await untilCalled(fake, ["stop", "vm.pause"]);
  await manager.destroy("vm");
  await Promise.all([pause, next]);
  assert.equal(vm.state, "stopped");
});

testOnFakes(
  "a destroy in another process ends a call that hangs here",
  {},
  async ({ boot, manager, fake, another }) => {
    const vm = await boot("vm", { timeouts: { callMs: 3_600_000 } });
    fake.set({ calls: { pause: { do: "hang" } } });
    const pause = rejectsWithCode(manager.pause("vm"), "VM_DESTROYED");
    await untilCalled(fake, ["stop", "vm.pause"]);
    const other = another();
    await other.adopt(vm.config.vmDirectory);
    await other.destroy("vm");
    await pause;
    await vm.destroy();
    assert.deepEqual(manager.list(), []);
  },
);

testOnFakes("an aborted destroy still destroys", {}, async ({ boot, manager, fake }) => {
  const vm = await boot("vm", { timeouts: { shutdownMs: 3_600_000, terminateMs: 3_600_000 } });
  fake.set({ ignoreSigterm: true, calls: { quit: { do: "hang" } } });
  const abort = new AbortController();
  const destroyed = manager.destroy("vm", { signal: abort.signal });
  await untilCalled(fake, ["quit", "vmm.shutdown"]);
  abort.abort(new Error("no patience"));
  await destroyed;
  assert.equal(vm.state, "stopped");
});

testOnFakes(
  "whoever loses patience shortens a destroy for all who wait for it",
  {},
  async ({ boot, manager, fake }) => {
    const vm = await boot("vm", { timeouts: { shutdownMs: 3_600_000, terminateMs: 3_600_000 } });
    fake.set({ ignoreSigterm: true, calls: { quit: { do: "hang" } } });
    const patient = vm.destroy();
    await untilCalled(fake, ["quit", "vmm.shutdown"]);
    const abort = new AbortController();
    const hasty = manager.destroy("vm", { signal: abort.signal });
    abort.abort(new Error("no patience"));
    await Promise.all([patient, hasty]);
    assert.equal(vm.state, "stopped");
    assert.deepEqual(manager.list(), []);
  },
);

testOnFakes("a failing step of destroy is logged, and the next one runs", {}, async (bench) => {
  const { boot, log } = bench;
  const vm = await boot("vm");
  // Where a file was to be read there is a directory.
  await mkdir(join(vm.config.vmDirectory, "intent.json"));
  await vm.destroy();
  assert.equal(vm.state, "stopped");
  assert.ok(log.includes("a step of destroy failed; going on"), log.join("; "));
  assertNothing(bench);
});

test("a process that survives SIGKILL leaves its VM failed and listed", async (t) => {
  const [, driver] = drivers;
  assert.ok(driver !== undefined);
  await withFake(t, driver, {}, async ({ boot, another, fake }) => {
    const vm = await boot("vm", { timeouts: { shutdownMs: 100, terminateMs: 100 } });
    const other = another();
    const adopted = await other.adopt(vm.config.vmDirectory);
    fake.set({ calls: { quit: { do: "hang" } } });
    // As one that hangs in the kernel: a signal is sent, and nothing comes of it.
    const signals: unknown[] = [];
    const { mock } = t.mock.method(process, "kill", (pid: number, signal: unknown) => {
      assert.equal(pid, vm.pid);
      return signals.push(signal) > 0;
    });
    const error = await rejectsWithCode(adopted.destroy(), "DESTROY_FAILED", /after SIGKILL/);
    assert.equal(error.details["pid"], vm.pid);
    assert.match(error.hint ?? "", /stays listed as failed/);
    assert.deepEqual(signals, ["SIGTERM", "SIGCONT", "SIGKILL"]);
    assert.deepEqual([adopted.state, other.list()], ["failed", [adopted]]);
    assert.ok(existsSync(join(vm.config.vmDirectory, "vm.json")), "another process finds it too");
    mock.restore();
    await adopted.destroy();
    assert.deepEqual([adopted.state, other.list()], ["stopped", []]);
    await vm.destroy();
  });
});

testOnFakes("destroy leaves what is not the VM's", {}, async ({ boot, another, manager }) => {
  const vm = await boot("vm");
  const directory = vm.config.vmDirectory;
  const other = another();
  await other.adopt(directory);
  await other.destroy("vm");
  // The path is somebody else's by now.
  await mkdir(directory);
  await writeFile(join(directory, "thesis.txt"), "x");
  await vm.destroy();
  assert.deepEqual(await readdir(directory), ["thesis.txt"]);
  assert.deepEqual(manager.list(), []);
  await rm(directory, { recursive: true });
});

testOnFakes("a VM whose lock cannot be used stays listed", {}, async ({ boot, manager }) => {
  const vm = await boot("vm");
  const lock = join(vm.config.vmDirectory, "lock.db");
  await rm(lock);
  await mkdir(lock);
  await rejectsWithCode(vm.destroy(), "DESTROY_FAILED");
  assert.equal(manager.get("vm")?.state, "failed");
  await rm(lock, { recursive: true });
  await vm.destroy();
  assert.equal(existsSync(vm.config.vmDirectory), false);
});
