import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askFakeGuest, rejectsWithCode } from "@virga/testkit";
import { isVirgaError } from "../src/errors.ts";
import { identifyProcess } from "../src/launch/process-identity.ts";
import type { VmRecord } from "../src/record.ts";
import type { Vm } from "../src/vm.ts";
import { testOnFakes } from "./with-fake.ts";

type Editable = { -readonly [K in keyof VmRecord]: VmRecord[K] };

/** Changes the record of a VM as a later process would find it. */
function editRecord(vm: Vm, edit: (record: Editable) => void): () => void {
  const path = join(vm.config.vmDirectory, "vm.json");
  const before = readFileSync(path, "utf8");
  const record = JSON.parse(before) as Editable;
  edit(record);
  writeFileSync(path, JSON.stringify(record));
  return () => writeFileSync(path, before);
}

testOnFakes("a process that only has the pid of a VM's is never touched", {}, async (bench) => {
  const { boot, another } = bench;
  const vm = await boot("vm");
  const stranger = spawn("sleep", ["600"], { stdio: "ignore" });
  await once(stranger, "spawn");
  try {
    const pid = stranger.pid ?? 0;
    const identity = identifyProcess(pid);
    assert.ok(identity !== undefined && vm.pid !== pid);
    // The pid came to somebody else: its start time tells.
    const restore = editRecord(vm, (record) => {
      record.process = { ...(record.process ?? identity), pid };
    });
    const second = another();
    assert.deepEqual([...(await second.recover())], [["vm", "ended"]]);
    assert.equal(second.get("vm")?.state, "failed");
    process.kill(pid, 0);
    restore();
    // Even one with the right start time, when it is not who answers on the socket.
    const again = editRecord(vm, (record) => {
      record.process = identity;
      record.uuid = "00000000-0000-4000-8000-000000000000";
    });
    await rejectsWithCode(another().adopt(vm.config.vmDirectory), "VM_NOT_OURS");
    process.kill(pid, 0);
    again();
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
  } finally {
    const gone = once(stranger, "exit");
    stranger.kill("SIGKILL");
    await gone;
  }
  await vm.destroy();
});

testOnFakes(
  "a VM of an earlier boot has ended with the host, unless its guest had before, and is never touched",
  {},
  async (bench) => {
    const { boot, another } = bench;
    const vm = await boot("vm");
    const reborn = (): (() => void) =>
      editRecord(vm, (record) => {
        const { process } = record;
        if (process !== undefined) record.process = { ...process, bootId: "earlier" };
      });
    const reasonNow = async (): Promise<string | undefined> => {
      const later = another();
      assert.deepEqual([...(await later.recover())], [["vm", "ended"]]);
      return (await later.get("vm")?.exited)?.reason;
    };
    const restore = reborn();
    assert.equal(await reasonNow(), "host-reboot");
    restore();
    assert.equal(await askFakeGuest(vm, "ping"), "pong");
    await askFakeGuest(vm, "poweroff");
    assert.equal((await vm.exited).reason, "guest-poweroff");
    reborn();
    assert.equal(await reasonNow(), "guest-poweroff");
    await vm.destroy();
  },
);

testOnFakes("a record that this version cannot read is left alone", {}, async (bench) => {
  const { boot, another } = bench;
  const vm = await boot("vm");
  for (const text of ['{"format": 99, "id": "vm"}', '{"format": 1', "", "null"]) {
    const path = join(vm.config.vmDirectory, "vm.json");
    const before = readFileSync(path, "utf8");
    writeFileSync(path, text);
    const files = readdirSync(vm.config.vmDirectory);
    const second = another();
    assert.deepEqual([...(await second.recover())], [["vm", "foreign"]]);
    assert.deepEqual(second.list(), []);
    await rejectsWithCode(second.adopt(vm.config.vmDirectory), "VM_NOT_OURS");
    assert.deepEqual(readdirSync(vm.config.vmDirectory), files);
    assert.equal(readFileSync(path, "utf8"), text);
    writeFileSync(path, before);
  }
  assert.equal(await askFakeGuest(vm, "ping"), "pong");
  await vm.destroy();
});

testOnFakes("of two that create the same VM at once, one succeeds", {}, async (bench) => {
  const { manager, another, config } = bench;
  const second = another();
  for (let round = 0; round < 5; round++) {
    const both = await Promise.allSettled([
      manager.create(config("vm")),
      second.create(config("vm")),
    ]);
    const [winner, ...others] = both.filter((one) => one.status === "fulfilled");
    assert.ok(
      winner !== undefined,
      both.map((one) => ("reason" in one ? String(one.reason) : "")).join("; "),
    );
    assert.deepEqual(others, []);
    for (const one of both) {
      if (one.status === "rejected") await rejectsWithCode(Promise.reject(one.reason), "VM_EXISTS");
    }
    assert.equal(await askFakeGuest(winner.value, "ping"), "pong");
    await winner.value.destroy();
  }
});

testOnFakes("two managers use and destroy the same VM at once", {}, async (bench) => {
  const { boot, manager, another } = bench;
  for (let round = 0; round < 5; round++) {
    const vm = await boot("vm");
    const second = another();
    const adopted = await second.adopt(vm.config.vmDirectory);
    const uses = [manager.pause("vm"), second.pause("vm")];
    const paused = await Promise.allSettled(uses);
    assert.equal(paused.filter(({ status }) => status === "fulfilled").length, 1);
    const resumed = await Promise.allSettled([manager.resume("vm"), second.resume("vm")]);
    assert.equal(resumed.filter(({ status }) => status === "fulfilled").length, 1);
    await Promise.all([vm.destroy(), adopted.destroy()]);
    assert.deepEqual([...manager.list(), ...second.list()], []);
  }
});

testOnFakes("a late destroy does not hurt a VM that has got the id since", {}, async (bench) => {
  const { boot, another, config } = bench;
  const late = await boot("vm");
  const second = another();
  await second.adopt(late.config.vmDirectory);
  await second.destroy("vm");
  await using successor = await second.create(config("vm"));
  await late.exited;
  await late.destroy();
  assert.equal(await askFakeGuest(successor, "ping"), "pong");
  await second.pause("vm");
  assert.deepEqual([...(await another().recover())], [["vm", "whole"]]);
});

testOnFakes(
  "a handle whose VM is gone never reaches the one that has got its id",
  {},
  async (bench) => {
    const { boot, manager, another, config } = bench;
    const vm = await boot("vm");
    const second = another();
    const stale = await second.adopt(vm.config.vmDirectory);
    await vm.destroy();
    await using successor = await manager.create(config("vm"));
    // The end of a process that is not a child is noticed later: whatever the state says, nothing is done.
    const calls = [second.pause("vm"), stale.connectGuest({ timeoutMs: 1000 })];
    for (const one of await Promise.allSettled(calls)) {
      assert.ok(one.status === "rejected" && isVirgaError(one.reason), "it succeeded");
      assert.ok(
        ["HYPERVISOR_EXITED", "INVALID_STATE"].includes(one.reason.code),
        one.reason.message,
      );
    }
    assert.equal((await successor.info()).state, "running");
    await stale.destroy();
    assert.equal(await askFakeGuest(successor, "ping"), "pong");
  },
);

testOnFakes("destroys in a row of processes do not hurt the successor", {}, async (bench) => {
  const { boot, manager, another, config } = bench;
  const others = [another(), another(), another()];
  for (let round = 0; round < 3; round++) {
    const vm = await boot("vm");
    const adopted = await Promise.all(others.map((one) => one.adopt(vm.config.vmDirectory)));
    const [first, ...rest] = [vm, ...adopted].map((one) => one.destroy());
    const made = (await first, await Promise.allSettled([manager.create(config("vm"))]));
    await Promise.all(rest);
    const [result] = made;
    if (result?.status === "rejected") throw result.reason;
    const successor = manager.get("vm");
    assert.ok(successor !== undefined);
    assert.equal(await askFakeGuest(successor, "ping"), "pong");
    await manager.pause("vm");
    await successor.destroy();
  }
});

testOnFakes("what cannot be recovered does not keep the others from it", {}, async (bench) => {
  const { boot, another, place } = bench;
  const [bad, good] = [await boot("bad"), await boot("good")];
  writeFileSync(join(place.directory, "stray"), "");
  const restore = editRecord(bad, (record) => {
    const other = identifyProcess(good.pid);
    assert.ok(other);
    record.process = other;
    record.uuid = "00000000-0000-4000-8000-000000000000";
  });
  const second = another();
  await rejectsWithCode(second.recover(), "VM_NOT_OURS");
  assert.ok(second.get("good"));
  restore();
  assert.deepEqual([...(await another().recover()).keys()], ["bad", "good"]);
  rmSync(join(place.directory, "stray"));
  await Promise.all([bad.destroy(), good.destroy()]);
});

testOnFakes("a VM that is adopted twice at once is one VM", {}, async ({ boot, another }) => {
  const vm = await boot("vm");
  const second = another();
  const adopt = (): Promise<Vm> => second.adopt(vm.config.vmDirectory);
  const [one, same] = await Promise.all([adopt(), adopt()]);
  assert.equal(one, same);
  assert.deepEqual(second.list(), [one]);
  await vm.destroy();
});
