import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { imageToolsMissing, qemuMissing, withLeakCheck } from "@virga/testkit";
import { Images, Sandbox, Snapshots } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { chaptersOf } from "./chapters.ts";
import type { Chapter } from "./chapters.ts";
import { counted, countsOn, identityIn, say, startCounter } from "./life.ts";
import { buildSmallImage } from "./small-image.ts";
import { checkNoVm, testHost } from "./test-host.ts";

const shape = { hypervisor: "qemu", memoryMib: 128, image: "small", diskMib: 256 } as const;
const SECRET = "kept";

/** As another process sees it: by an opening of its own. */
function elsewhere(host: Host, reference: string): Promise<Sandbox> {
  const { home, guestTimeoutMs, assets } = host;
  return Sandbox.connect(reference, {
    home,
    assets,
    ...(guestTimeoutMs !== undefined && { guestTimeoutMs }),
  });
}

/** Paused and resumed, suspended and resumed, each from another process than before. */
async function sleeps(chapter: Chapter, host: Host, sandbox: Sandbox): Promise<void> {
  const other = await elsewhere(host, sandbox.name ?? "");
  let before = await countsOn(sandbox, SECRET, 0);
  await chapter("it is paused, and resumed by another process", async () => {
    await sandbox.pause();
    assert.equal((await other.info()).state, "paused");
    await assert.rejects(other.run(["true"]), { code: "INVALID_STATE", message: /is paused/ });
    await assert.rejects(sandbox.pause(), { code: "INVALID_STATE", message: /is paused/ });
    await other.resume();
    before = await countsOn(sandbox, SECRET, before);
  });
  for (const generation of [1, 2]) {
    await chapter(`it is suspended and resumed, generation ${generation}`, async () => {
      const machine = await identityIn(sandbox);
      const { pid } = await sandbox.info();
      await other.suspend();
      const info = await sandbox.info();
      assert.deepEqual([info.state, info.pid], ["suspended", null]);
      assert.equal(existsSync(join(host.home.vms, sandbox.id)), false, "its memory is free");
      await assert.rejects(sandbox.run(["true"]), { code: "INVALID_STATE", message: /suspended/ });
      await (generation === 1 ? sandbox : other).resume();
      before = await countsOn(other, SECRET, before);
      before = await countsOn(sandbox, SECRET, before);
      assert.notEqual((await sandbox.info()).pid, pid);
      assert.equal((await sandbox.info()).restoreMode, "shared");
      const now = await identityIn(sandbox);
      assert.deepEqual(now.slice(0, 2), machine.slice(0, 2), "it is the same machine");
      assert.notEqual(now[2], machine[2], "with entropy of its own");
    });
  }
  await chapter("it is suspended when it is paused", async () => {
    await other.pause();
    await other.suspend();
    await other.resume();
    await countsOn(sandbox, SECRET, before);
  });
}

/** Snapshots of a running and of a paused one, and sandboxes made of them, one of which is snapshotted again. */
async function isKept(chapter: Chapter, host: Host, sandbox: Sandbox): Promise<void> {
  let at = 0;
  await chapter("snapshots are taken of it, running and paused", async () => {
    await say(sandbox, "echo before > /srv/note");
    const taken = await sandbox.snapshot({ name: "first" });
    assert.ok((taken.timings["stop"] ?? 0) > 0 && (taken.timings["disk"] ?? 0) > 0);
    at = await counted(sandbox, SECRET);
    await countsOn(sandbox, SECRET, at);
    await say(sandbox, "echo after > /srv/note");
    await assert.rejects(sandbox.snapshot({ name: "first" }), { code: "VM_EXISTS" });
    assert.equal((await sandbox.info()).state, "running");
    await sandbox.pause();
    await sandbox.snapshot({ name: "second" });
    assert.equal((await sandbox.info()).state, "paused");
    await sandbox.resume();
  });
  await chapter(
    "sandboxes go on from its snapshots, and from a snapshot of such a one",
    async () => {
      await using clone = await Sandbox.create({ host, snapshot: "first", env: { MORE: "more" } });
      assert.equal(await say(clone, "cat /srv/note; echo $MORE"), "before\nmore");
      await countsOn(clone, SECRET, 0);
      const clash = Sandbox.create({ host, snapshot: "first", memoryMib: 256, vcpus: 1 });
      await assert.rejects(clash, { code: "INVALID_CONFIG", message: /memoryMib is 256, and 128/ });
      await using again = await Sandbox.create({ host, snapshot: "second" });
      assert.equal(await say(again, "cat /srv/note"), "after");
      await countsOn(again, SECRET, at);

      await say(clone, "echo clone > /srv/note");
      const cloned = await counted(clone, SECRET);
      await clone.snapshot({ name: "third" });
      await using generation = await Sandbox.create({ host, snapshot: "third" });
      assert.equal(await say(generation, "cat /srv/note"), "clone");
      assert.equal((await generation.info()).restoreMode, "shared");
      await countsOn(generation, SECRET, cloned);
      assert.equal(await say(sandbox, "cat /srv/note"), "after", "nothing leaks back");
    },
  );
}

/** Clones that are machines of their own, whose parent goes, and of which one is suspended and one forked again. */
async function forks(chapter: Chapter, host: Host, parent: Sandbox): Promise<void> {
  let children: Sandbox[] = [];
  let before = 0;
  await chapter("its forks go on from what it is, each as a machine of its own", async () => {
    await say(parent, "echo parent > /srv/note");
    before = await counted(parent, SECRET);
    children = await parent.fork(3);
    const all = [parent, ...children];
    const seen = new Set<string>();
    for (const one of all) {
      for (const part of await identityIn(one)) seen.add(part);
      await countsOn(one, SECRET, before);
      assert.equal(await say(one, "cat /srv/note"), "parent");
      await say(one, `echo ${one.id} > /srv/note; sync`);
    }
    assert.equal(seen.size, 3 * all.length, "no two share a name or a random number");
    for (const one of all) assert.equal(await say(one, "cat /srv/note"), one.id);
    for (const child of children) {
      const info = await child.info();
      assert.deepEqual([info.parent, info.restoreMode], [parent.id, "shared"]);
    }
    const listed = await Sandbox.list({ host });
    const ofParent = listed.filter((each) => each.parent === parent.id).map(({ id }) => id);
    assert.deepEqual(ofParent.toSorted(), children.map(({ id }) => id).toSorted());
  });
  await chapter("its forks outlive it and each other, and are suspended and forked", async () => {
    const [first, second, third] = children as [Sandbox, Sandbox, Sandbox];
    await parent.destroy();
    await assert.rejects(elsewhere(host, parent.id), { code: "VM_NOT_FOUND" });
    const [grandchild] = await second.fork();
    assert.ok(grandchild !== undefined);
    assert.equal(await say(grandchild, "cat /srv/note"), second.id);
    await second.destroy();
    await first.suspend();
    await third.destroy();
    await first.resume();
    await countsOn(first, SECRET, before);
    await countsOn(grandchild, SECRET, before);
    assert.equal(await say(first, "cat /srv/note"), first.id);
    await first.destroy();
    const forksLeft = host.catalog.snapshots.list().filter(({ kind }) => kind === "fork");
    assert.equal(forksLeft.length, 1, "a fork's snapshot goes with the last of its clones");
    await grandchild.destroy();
  });
}

const skip = qemuMissing() || imageToolsMissing("sqfstar", "mke2fs");

describe("the life of sandboxes on QEMU", { skip }, () => {
  test("what runs in a sandbox outlives pauses, suspensions, snapshots and forks", (t) =>
    withLeakCheck(t, async (place) => {
      const chapter = chaptersOf(t);
      const host = await testHost(place);
      await buildSmallImage(place, host.home, "small");
      const sandbox = await Sandbox.create({ ...shape, host, name: "worker" });
      await startCounter(sandbox, SECRET);
      await assert.rejects(Sandbox.create({ ...shape, host, name: "worker" }), {
        code: "VM_EXISTS",
      });
      await sleeps(chapter, host, sandbox);
      await isKept(chapter, host, sandbox);
      await assert.rejects(new Images({ home: host.home }).remove("small"), { code: "IN_USE" });
      await forks(chapter, host, sandbox);
      const kept = await readdir(host.home.snapshots);
      assert.deepEqual(
        kept.toSorted(),
        host.catalog.snapshots
          .list()
          .map(({ id }) => id)
          .toSorted(),
      );
      assert.equal(kept.length, 3);
      const snapshots = new Snapshots({ home: host.home });
      for (const { id } of await snapshots.list()) await snapshots.remove(id);
      await checkNoVm(host.home);
    }));
});
