import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { askFakeGuest, rejectsWithCode } from "@virga/testkit";
import { pausedMark } from "../src/directory.ts";
import type { Vm } from "../src/vm.ts";
import { testOnFakes, untilCalled } from "./with-fake.ts";

testOnFakes(
  "operations on one VM wait for each other, those on two do not",
  {},
  async ({ boot, manager, fake }) => {
    const [one, two] = await Promise.all([boot("one"), boot("two")]);
    fake.set({ calls: { pause: { do: "slow", delayMs: 20 } } });
    const rounds = [
      manager.pause("one"),
      manager.resume("one"),
      manager.pause("one"),
      manager.resume("one"),
    ];
    await Promise.all([...rounds, manager.pause("two")]);
    assert.equal(one.state, "running");
    const operations = fake
      .calls()
      .filter(({ call, pid }) => pid === one.pid && /^(vm\.)?(pause|resume|stop|cont)$/.test(call));
    for (let i = 0; i + 1 < operations.length; i += 2) {
      assert.equal(operations[i]?.phase, "start");
      assert.equal(operations[i + 1]?.phase, "end");
      assert.equal(operations[i]?.call, operations[i + 1]?.call);
    }
    fake.set({ calls: { resume: { do: "hang" } } });
    const hung = rejectsWithCode(manager.resume("two"), "VM_DESTROYED");
    await untilCalled(fake, ["cont", "vm.resume"]);
    fake.set({});
    await manager.pause("one");
    await manager.resume("one");
    await two.destroy();
    await hung;
    await one.destroy();
  },
);

testOnFakes("while a call hangs, the record tells of the VM, at once", {}, async (bench) => {
  const { boot, manager, fake } = bench;
  const vm = await boot("vm", { timeouts: { callMs: 3_600_000 } });
  fake.set({ calls: { pause: { do: "hang" } } });
  const hung = rejectsWithCode(manager.pause("vm"), "VM_DESTROYED");
  await untilCalled(fake, ["stop", "vm.pause"]);
  const asked = fake.calls().length;
  const { source, state, pid } = await vm.info();
  assert.deepEqual([source, state, pid], ["record", "running", vm.pid]);
  assert.equal(fake.calls().length, asked, "the hypervisor was not asked");
  await vm.destroy();
  await hung;
});

testOnFakes("an abort counts while an operation waits for its turn", {}, async (bench) => {
  const { boot, manager, fake } = bench;
  const vm = await boot("vm");
  fake.set({ calls: { pause: { do: "hang" } } });
  const hung = rejectsWithCode(manager.pause("vm"), "VM_DESTROYED");
  await untilCalled(fake, ["stop", "vm.pause"]);
  const abort = new AbortController();
  const waiting = rejectsWithCode(manager.resume("vm", { signal: abort.signal }), "ABORTED");
  abort.abort(new Error("no patience"));
  await waiting;
  await vm.destroy();
  await hung;
});

testOnFakes("a pause that was given up is known to have happened", {}, async (bench) => {
  const { boot, manager, fake } = bench;
  await using vm = await boot("vm");
  fake.set({ calls: { pause: { do: "slow", delayMs: 100 } } });
  const abort = new AbortController();
  const pause = rejectsWithCode(manager.pause("vm", { signal: abort.signal }), "ABORTED");
  await untilCalled(fake, ["stop", "vm.pause"]);
  abort.abort(new Error("no patience"));
  await pause;
  assert.equal(vm.state, "paused");
  await manager.resume("vm");
  assert.equal(await askFakeGuest(vm, "ping"), "pong");
});

testOnFakes("a call whose effect nobody can tell leaves the state unknown", {}, async (bench) => {
  const { boot, manager, fake } = bench;
  const vm = await boot("vm");
  fake.set({ calls: { "*": { do: "garbage" } } });
  await rejectsWithCode(manager.pause("vm"), "HYPERVISOR_PROTOCOL");
  assert.equal(vm.state, "unknown");
  assert.equal((await vm.info()).source, "record");
  await rejectsWithCode(manager.resume("vm"), "INVALID_STATE", /unknown/);
  await vm.destroy();
});

testOnFakes("an unknown state is asked for again by whatever comes next", {}, async (bench) => {
  const { boot, manager, fake } = bench;
  const next = [
    (vm: Vm) => manager.pause(vm.id),
    (vm: Vm) => askFakeGuest(vm, "ping"),
    (vm: Vm) => vm.info(),
  ];
  for (const [index, use] of next.entries()) {
    await using vm = await boot(`vm${index}`);
    fake.set({ calls: { "*": { do: "garbage" } } });
    await rejectsWithCode(manager.pause(vm.id), "HYPERVISOR_PROTOCOL");
    assert.equal(vm.state, "unknown");
    fake.set({});
    await use(vm);
    assert.equal(vm.state, index === 0 ? "paused" : "running");
  }
});

testOnFakes("a snapshot that was given up does not spoil the next one", {}, async (bench) => {
  const { boot, manager, fake, place } = bench;
  await using vm = await boot("vm");
  await manager.pause("vm");
  fake.set({ calls: { snapshot: { do: "slow", delayMs: 200, times: 1 } } });
  const abort = new AbortController();
  const target = join(place.scratch, "snapshot");
  const first = rejectsWithCode(
    manager.snapshot("vm", target, { signal: abort.signal }),
    "ABORTED",
  );
  await untilCalled(fake, ["xen-save-devices-state", "vm.snapshot"]);
  abort.abort(new Error("no patience"));
  await first;
  assert.equal(existsSync(target), false);
  await manager.snapshot("vm", target);
  await manager.resume("vm");
  assert.equal(await askFakeGuest(vm, "ping"), "pong");
});

testOnFakes("a stale socket is replaced, a live owner's is left alone", {}, async (bench) => {
  const { manager, place, config } = bench;
  const run = join(place.directory, "vm", "run");
  mkdirSync(run, { recursive: true, mode: 0o700 });
  const names = ["api.sock", "v.sock", "qmp0.sock"];
  for (const name of names) {
    const owner = createServer();
    await new Promise<void>((resolve) => owner.listen(join(run, name), resolve));
    const refused = await rejectsWithCode(manager.create(config("vm")), "SOCKET_IN_USE");
    assert.equal(refused.details["path"], join(run, name));
    assert.ok(existsSync(join(run, name)), "the owner's socket stays");
    await staleSocket(join(run, name), owner);
  }
  await using vm = await manager.create(config("vm"));
  assert.equal(vm.state, "running");
});

/** Leaves a socket file that nobody listens on. */
async function staleSocket(path: string, owner: ReturnType<typeof createServer>): Promise<void> {
  await new Promise((resolve) => owner.close(resolve));
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  assert.ok(existsSync(path));
}

testOnFakes("a state that cannot be recorded is known here all the same", {}, async (bench) => {
  const { boot, manager, place } = bench;
  await using vm = await boot("vm");
  const mark = pausedMark(join(place.directory, "vm"));
  assert.equal(readFileSync(mark, "utf8"), "0", "a pause needs no new file");
  rmSync(mark);
  symlinkSync(join(place.scratch, "none", "mark"), mark);
  await rejectsWithCode(manager.pause("vm"), "IO_ERROR", /whether the VM is paused/);
  assert.equal(vm.state, "paused");
  rmSync(mark);
  await manager.resume("vm");
  assert.equal(vm.state, "running");
  assert.equal(await askFakeGuest(vm, "ping"), "pong");
});
