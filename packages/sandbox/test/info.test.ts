import assert from "node:assert/strict";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import type { SandboxInfo } from "@virga/sandbox";
import { withLeakCheck } from "@virga/testkit";
import { fakeHost } from "./fake-host.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

/** What programs may rely on: `virga info --json` prints it as it is. */
const FIELDS = [
  "id",
  "name",
  "state",
  "image",
  "hypervisor",
  "accelerator",
  "pid",
  "restoreMode",
  "restoreReason",
  "parent",
  "vcpus",
  "memoryMib",
  "createdAt",
  "timings",
] as const satisfies readonly (keyof SandboxInfo)[];

/** Steps that say what an operation spent its time on. */
const STEPS = {
  create: ["row", "init"],
  pause: ["prepare", "pause"],
  resume: ["resume", "thaw"],
  suspend: ["save", "end"],
  snapshot: ["save", "stop", "hash"],
  fork: ["save", "stop"],
} as const;

test("info tells all there is to know, and how long the last run of each operation took", (t) =>
  withLeakCheck(t, async (place) => {
    const host = await fakeHost(await fakeHostOptions(place, "qemu"));
    await using box = await Sandbox.create({
      host,
      cold: true,
      memoryMib: 96,
      vcpus: 1,
      name: "box",
    });
    const first: Readonly<Record<string, unknown>> = { ...(await box.info()) };
    for (const field of FIELDS) assert.notEqual(first[field], undefined, field);
    assert.deepEqual(Object.keys(Object(first["timings"])), ["create"]);
    const { createdAt, pid, restoreMode } = await box.info();
    assert.equal(new Date(createdAt).toISOString(), createdAt);
    assert.ok(pid !== null && pid > 0);
    assert.equal(restoreMode, null, "it was booted");

    await box.suspend();
    await box.resume();
    const { timings: restored } = await box.info();
    assert.ok(restored.resume !== undefined && "restore" in restored.resume);
    await box.snapshot();
    const [child] = await box.fork();
    assert.ok(child);
    await using fork = child;
    await box.pause();
    await box.resume();

    const { timings } = await (await Sandbox.connect("box", { host })).info();
    assert.deepEqual(Object.keys(timings).toSorted(), Object.keys(STEPS).toSorted());
    for (const [operation, steps] of Object.entries(STEPS)) {
      const told = timings[operation as keyof typeof STEPS] ?? {};
      for (const step of steps) assert.ok((told[step] ?? -1) >= 0, `${operation}: ${step}`);
    }
    assert.ok(timings.resume !== undefined && !("restore" in timings.resume), "only the last one");
    const of = await fork.info();
    assert.deepEqual([of.parent, Object.keys(of.timings)], [box.id, ["create"]]);
    assert.ok(of.restoreMode !== null && of.restoreReason !== null);
  }));
