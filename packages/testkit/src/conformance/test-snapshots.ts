import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Vm, VmConfig, VmManager } from "@virga/vm";
import { withLeakCheck } from "../leaks/leak-check.ts";
import type { TestPlace } from "../leaks/leak-count.ts";
import { bootVm, destroyAll, managerOn, type ConformanceSubject } from "./conformance-subject.ts";
import { countsOn } from "./counts-on.ts";
import { rejectsWithCode } from "./reject-code.ts";

/** Snapshots, clones of them, and what is refused. */
export function testSnapshots(subject: ConformanceSubject): void {
  const { guest } = subject;

  test("a snapshot serves clones that run at the same time, each with its own disk", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(subject, place);
      const parent = await bootVm(subject, place, manager, "parent");
      await guest.writeDisk(parent, "before");
      const digest = await guest.remember(parent, 7);
      const counted = await guest.counter(parent);
      const snapshot = join(place.scratch, "snapshot");
      await manager.pause("parent");
      await refuseDestinations(manager, place);
      await manager.snapshot("parent", snapshot);
      assert.equal(parent.state, "paused", "the VM stays paused");
      mkdirSync(join(place.scratch, "empty"));
      await manager.snapshot("parent", join(place.scratch, "empty"));
      const listed = readdirSync(place.scratch);
      assert.deepEqual(
        listed.filter((name) => name.startsWith(".")),
        [],
        "nothing temporary stays",
      );
      await manager.resume("parent");
      assert.equal(await guest.recall(parent), digest, "the parent goes on");

      const configs = await Promise.all(["one", "two"].map((id) => subject.config(place, id)));
      const clones = await Promise.all(
        configs.map((config) => manager.createFromSnapshot(config, snapshot)),
      );
      for (const clone of clones) {
        assert.equal(clone.state, "running");
        assert.equal(await guest.recall(clone), digest, "memory came back");
        await countsOn(guest, clone, counted);
        await guest.writeDisk(clone, clone.id);
      }
      for (const clone of clones) assert.equal(await guest.readDisk(clone), clone.id);
      assert.equal(await guest.readDisk(parent), "before");
      const [first] = clones as [Vm, Vm];
      assert.notEqual(await guest.remember(first, 8), digest);
      assert.equal(
        await guest.recall(clones[1] as Vm),
        digest,
        "clones do not share what they write",
      );
      await manager.destroy("parent");
      await guest.ping(first);
      await destroyAll(manager);
      await cloneAgain(subject, place, manager, { snapshot, digest });
    });
  });

  test("a running VM is snapshotted by a short stop, a clone of it too, and each goes on", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(subject, place);
      await bootVm(subject, place, manager, "parent");
      let source = "parent";
      const booted = (manager.get(source) as Vm).config.kernel ?? "";
      for (const generation of ["first", "second"]) {
        const vm = manager.get(source) as Vm;
        const digest = await guest.remember(vm, generation.length);
        const snapshot = join(place.scratch, generation);
        await manager.prepareSnapshot(source);
        await manager.pause(source);
        const states: string[] = [];
        const { kernel } = await manager.snapshot(source, snapshot, {
          resume: true,
          whilePaused: () => Promise.resolve(void states.push(vm.state)),
          onResumed: () => states.push(`${vm.state}, published ${existsSync(snapshot)}`),
        });
        assert.deepEqual(states, ["paused", "running, published false"]);
        assert.deepEqual([kernel?.path, kernel?.bytes], [booted, statSync(booted).size]);
        const counted = await guest.counter(vm);
        assert.equal(await guest.recall(vm), digest, "the source goes on");
        const config = await subject.config(place, generation);
        const clone = await manager.createFromSnapshot(config, snapshot);
        assert.equal(await guest.recall(clone), digest, "its clone has its memory");
        assert.ok((await guest.counter(clone)) > 0 && counted > 0);
        source = generation;
      }
      await destroyAll(manager);
    });
  });

  test("what contradicts or damages a snapshot is refused before a process starts", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(subject, place);
      await bootVm(subject, place, manager, "parent");
      const snapshot = join(place.scratch, "snapshot");
      await manager.pause("parent");
      await manager.snapshot("parent", snapshot);
      await manager.destroy("parent");
      const config = await subject.config(place, "clone");
      const from = (more: Partial<VmConfig>, directory = snapshot): Promise<Vm> =>
        manager.createFromSnapshot({ ...config, ...more }, directory);
      const memoryMib = (config.memoryMib ?? 512) * 2;
      const memory = await rejectsWithCode(from({ memoryMib }), "SNAPSHOT_MISMATCH", /memoryMib/);
      assert.match(memory.message, new RegExp(`${config.memoryMib ?? 512}.*${memoryMib}`));
      await rejectsWithCode(from({ vcpus: 7 }), "SNAPSHOT_MISMATCH", /vcpus is 1.*, 7 in/);
      await rejectsWithCode(from({ guestChannel: false }), "SNAPSHOT_MISMATCH", /guestChannel/);
      const disks = [{ id: "more", path: config.rootfs?.path ?? "" }];
      await rejectsWithCode(from({ disks }), "SNAPSHOT_MISMATCH", /disks/);
      await rejectsWithCode(
        from({}, join(place.scratch, "absent")),
        "SNAPSHOT_INVALID",
        /manifest/,
      );
      for (const damage of damages(snapshot)) {
        const copy = join(place.scratch, "damaged");
        cpSync(snapshot, copy, { recursive: true, force: true });
        damage.apply(copy);
        await rejectsWithCode(from({}, copy), damage.code, damage.sentence);
      }
      assert.deepEqual(manager.list(), []);
      assert.equal(existsSync(join(place.directory, "clone")), false);
    });
  });
}

async function refuseDestinations(manager: VmManager, place: TestPlace): Promise<void> {
  const full = join(place.scratch, "full");
  mkdirSync(full);
  writeFileSync(join(full, "mine"), "keep");
  await rejectsWithCode(manager.snapshot("parent", full), "INVALID_ARGUMENT", /not empty/);
  assert.equal(readFileSync(join(full, "mine"), "utf8"), "keep");
  await rejectsWithCode(manager.snapshot("parent", join(full, "mine")), "INVALID_ARGUMENT");
  await rejectsWithCode(manager.snapshot("parent", "relative"), "INVALID_ARGUMENT", /absolute/);
  assert.deepEqual(readdirSync(full), ["mine"]);
}

/** The parent is gone; each further restore mode makes a clone, and a snapshot of a clone makes clones again. */
async function cloneAgain(
  subject: ConformanceSubject,
  place: TestPlace,
  manager: VmManager,
  template: { readonly snapshot: string; readonly digest: string },
): Promise<void> {
  const { guest } = subject;
  let snapshot = template.snapshot;
  let digest = template.digest;
  for (const [index, restoreMode] of [undefined, ...subject.restoreModes].entries()) {
    const id = `generation-${index}`;
    const config = await subject.config(place, id);
    const clone = await manager.createFromSnapshot(
      restoreMode === undefined ? config : { ...config, restoreMode },
      snapshot,
    );
    if (restoreMode !== undefined) assert.equal((await clone.info()).restore?.mode, restoreMode);
    assert.equal(await guest.recall(clone), digest);
    digest = await guest.remember(clone, 100 + index);
    snapshot = join(place.scratch, id);
    await manager.pause(id);
    await manager.snapshot(id, snapshot);
    await manager.destroy(id);
  }
}

interface Damage {
  readonly code: "SNAPSHOT_INVALID" | "SNAPSHOT_MISMATCH";
  readonly sentence: RegExp;
  readonly apply: (directory: string) => void;
}

function damages(snapshot: string): Damage[] {
  const path = (directory: string): string => join(directory, "manifest.json");
  const manifest = JSON.parse(readFileSync(path(snapshot), "utf8")) as {
    memory: { file: string; bytes: number };
    files: { name: string; sha256?: string }[];
  };
  const hashed = manifest.files.find((file) => file.sha256 !== undefined)?.name;
  const rewrite = (change: object) => (directory: string) =>
    writeFileSync(path(directory), JSON.stringify({ ...manifest, ...change }));
  const { file, bytes } = manifest.memory;
  return [
    {
      code: "SNAPSHOT_INVALID",
      sentence: /memory|bytes/,
      apply: (at) => truncateSync(join(at, file), bytes - 4096),
    },
    { code: "SNAPSHOT_INVALID", sentence: /damaged/, apply: (at) => truncateSync(path(at), 10) },
    { code: "SNAPSHOT_INVALID", sentence: /format/, apply: rewrite({ format: 99 }) },
    {
      code: "SNAPSHOT_MISMATCH",
      sentence: /version/,
      apply: rewrite({ hypervisorVersion: "v1.0" }),
    },
    {
      code: "SNAPSHOT_MISMATCH",
      sentence: /hypervisor/,
      apply: rewrite({ hypervisor: "cloud-hypervisor-or-qemu" }),
    },
    ...(hashed === undefined
      ? []
      : [
          {
            code: "SNAPSHOT_INVALID" as const,
            sentence: /changed/,
            apply: (at: string) => {
              const whole = readFileSync(join(at, hashed));
              whole[whole.length - 1] = (whole.at(-1) ?? 0) ^ 1;
              writeFileSync(join(at, hashed), whole);
            },
          },
        ]),
  ];
}
