import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fakeConfig, fakeHypervisor, testProgram, withLeakCheck } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { Images, doctor, recoverHome } from "@virga/sandbox";
import type { Home } from "@virga/sandbox";
import { VmManager, identifyProcess, qemuDriver, silentLogger, tryLock } from "@virga/vm";
import { ownVm } from "../src/owners/owner-record.ts";
import { recoverOwned } from "../src/owners/recover-owned.ts";
import { upperPath } from "../src/sandbox-disks.ts";
import { testHome } from "./test-host.ts";

async function managerOf(home: Home): Promise<VmManager> {
  const launcher = await testProgram("launcher");
  return new VmManager({ directory: home.vms, launcher, drivers: [qemuDriver()] });
}

/** Owns a VM as a process that has died since. */
async function ownByDead(home: Home, id: string): Promise<void> {
  await ownVm(home, id, "sandbox");
  const path = join(home.state, "owners", `${id}.json`);
  const record = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...record, owner: { ...record.owner, startTime: "1" } }));
}

async function setUp(place: TestPlace) {
  const home = await testHome(place);
  const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
  const [manager, other] = [await managerOf(home), await managerOf(home)];
  return {
    home,
    manager,
    create: (id: string) => manager.create(fakeConfig(place, id, fake)),
    recover: () => recoverOwned({ home, manager: other, logger: silentLogger }),
    left: async () => ({
      vms: (await readdir(home.vms)).filter((name) => name !== ".builds").toSorted(),
      owners: (await readdir(join(home.state, "owners"))).toSorted(),
    }),
  };
}

test("the VMs of dead processes go, all others stay", (t) =>
  withLeakCheck(t, async (place) => {
    const { home, create, recover, left } = await setUp(place);
    assert.deepEqual(await recover(), []);
    const owned = await create("owned");
    await ownByDead(home, "owned");
    await using alive = await create("alive");
    const ownership = await ownVm(home, "alive", "sandbox");
    await using free = await create("free");
    await ownByDead(home, "never-made");
    const disks = ["owned", "never-made", "alive"].map((id) => upperPath(home, id));
    for (const disk of disks) await writeFile(disk, "");
    assert.deepEqual((await recover()).toSorted(), ["never-made", "owned"]);
    assert.deepEqual(await readdir(home.disks), ["alive.ext4"]);
    assert.equal(identifyProcess(owned.pid), undefined);
    assert.ok(identifyProcess(alive.pid));
    assert.ok(identifyProcess(free.pid));
    assert.deepEqual(await left(), { vms: ["alive", "free"], owners: ["alive.json"] });
    await ownership.release();
  }));

test("a VM that has ended, and one that was never whole, leave nothing either", (t) =>
  withLeakCheck(t, async (place) => {
    const { home, create, recover, left } = await setUp(place);
    const ended = await create("ended");
    process.kill(ended.pid, "SIGKILL");
    await ended.exited;
    await ownByDead(home, "ended");
    const record = JSON.parse(await readFile(join(home.vms, "ended", "vm.json"), "utf8"));
    await mkdir(join(home.vms, "half", "run"), { recursive: true });
    const { process: _none, ...half } = { ...record, id: "half", phase: "creating" };
    await writeFile(join(home.vms, "half", "vm.json"), JSON.stringify(half));
    await ownByDead(home, "half");
    assert.deepEqual((await recover()).toSorted(), ["ended", "half"]);
    assert.deepEqual(await left(), { vms: [], owners: [] });
  }));

test("a VM that somebody works on now is left to him, and tried again", (t) =>
  withLeakCheck(t, async (place) => {
    const { home, create, recover, left } = await setUp(place);
    const vm = await create("busy");
    await ownByDead(home, "busy");
    const lock = tryLock(join(home.vms, "busy", "lock.db"));
    assert.ok(lock);
    assert.deepEqual(await recover(), []);
    assert.ok(identifyProcess(vm.pid));
    lock.release();
    assert.deepEqual(await recover(), ["busy"]);
    assert.deepEqual(await left(), { vms: [], owners: [] });
  }));

test("who makes no VM removes them too, and doctor only tells of them", (t) =>
  withLeakCheck(t, async (place) => {
    const { home, create, left } = await setUp(place);
    const leftovers = async () => {
      const probe = async () => ({ hypervisors: [], chosen: null, checks: [] });
      const { checks } = await doctor({ probe, context: { home } });
      return checks.find(({ name }) => name === "leftovers");
    };
    const images = (): Images => new Images({ home });
    const ways = [() => recoverHome(home), () => images().list()];
    for (const [index, remove] of ways.entries()) {
      const id = `owned${index}`;
      await images().list();
      assert.equal((await leftovers())?.ok, true);
      const vm = await create(id);
      await ownByDead(home, id);
      const unfinished = join(home.state, "owners", "half.json.new");
      const record = await readFile(join(home.state, "owners", `${id}.json`), "utf8");
      await writeFile(unfinished, record);
      const told = await leftovers();
      assert.deepEqual([told?.ok, told?.detail.endsWith(`: ${id}`)], [false, true]);
      assert.ok(identifyProcess(vm.pid), "doctor changes nothing");
      assert.equal(await readFile(unfinished, "utf8"), record);
      await remove();
      assert.equal(identifyProcess(vm.pid), undefined);
      assert.deepEqual(await left(), { vms: [], owners: [] });
    }
  }));

test("what cannot be looked at is told, and fails nobody", (t) =>
  withLeakCheck(t, async (place) => {
    const { home } = await setUp(place);
    const owners = join(home.state, "owners");
    await writeFile(owners, "no directory");
    const told: string[] = [];
    const note = (_fields: object, message: string): void => void told.push(message);
    const logger = { debug: note, info: note, warn: note, error: note };
    assert.deepEqual(await recoverHome(home, logger), []);
    assert.deepEqual(told, ["cannot look for the VMs of dead processes"]);
    assert.deepEqual(await new Images({ home }).list(), []);
  }));
