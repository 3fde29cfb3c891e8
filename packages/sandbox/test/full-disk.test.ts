import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Sandbox, recoverHome } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { askFakeGuest, mountsMissing, useTemporaryDirectory, withLeakCheck } from "@virga/testkit";
import { isVirgaError } from "@virga/vm";
import { findVm } from "../src/life/find-vm.ts";
import { upperPath } from "../src/sandbox-disks.ts";
import { fakeHost } from "./fake-host.ts";
import { SmallDisk } from "./small-disk.ts";
import { checkNoVm, destroyAll } from "./test-host.ts";
import { fakeHostOptions, onLifeStep } from "./use-fake-host.ts";

const DISK_BYTES = 2 ** 20;
const shape = { cold: true, memoryMib: 96, vcpus: 1 } as const;

interface FullDiskCase {
  readonly title: string;
  readonly before: "running" | "suspended";
  /** States the sandbox `box` may be in after it. */
  readonly after: readonly string[];
  readonly run: (host: Host, box: Sandbox) => Promise<unknown>;
}

const cases: readonly FullDiskCase[] = [
  {
    title: "create",
    before: "running",
    after: ["running"],
    run: (host) => Sandbox.create({ ...shape, host, name: "new" }),
  },
  {
    title: "snapshot",
    before: "running",
    after: ["running"],
    run: (_, box) => box.snapshot({ name: "taken" }),
  },
  { title: "fork", before: "running", after: ["running"], run: (_, box) => box.fork(1) },
  {
    title: "suspend",
    before: "running",
    after: ["running", "suspended"],
    run: (_, box) => box.suspend(),
  },
  {
    title: "resume",
    before: "suspended",
    after: ["running", "suspended"],
    run: (_, box) => box.resume(),
  },
];

/** What an operation may leave, and the steps it had. */
interface Attempt {
  readonly steps: number;
  readonly error: unknown;
}

for (const one of cases) {
  test(
    `when the disk is full from any step of ${one.title} on, all is as before or done, and destroy works`,
    { skip: mountsMissing() },
    async (t) => {
      // Not in the test's own place: a VMM that another test starts meanwhile copies this mount with all others, and would count as left behind here.
      using disk = new SmallDisk(await useTemporaryDirectory(t));
      await withLeakCheck(t, async (place) => {
        const directory = join(disk.directory, "h");
        const host = await fakeHost({ ...(await fakeHostOptions(place, "qemu")), directory });
        let failures = 0;
        for (let at = 1; ; at++) {
          const { steps, error } = await attempt(host, disk, one, at);
          if (error !== undefined) {
            failures++;
            checkError(error, disk, `${one.title}, full from step ${at} on`);
          }
          if (steps < at) break;
        }
        t.diagnostic(`it failed ${failures} times`);
        assert.ok(failures > 1, `only ${failures} failed`);
      });
    },
  );
}

/** Does the operation on a disk that is full from one of its steps on, and then destroys all there is, on a full disk still. */
async function attempt(
  host: Host,
  disk: SmallDisk,
  { title, before, after, run }: FullDiskCase,
  at: number,
): Promise<Attempt> {
  const { home } = host;
  const what = `${title}, full from step ${at} on`;
  const box = await Sandbox.create({ ...shape, host, name: "box" });
  await askFakeGuest(box.vm, "note memory kept");
  // Its disk: a fake's other files are too small to make room when they go.
  await writeFile(upperPath(home, box.id), Buffer.alloc(DISK_BYTES, 1));
  if (before === "suspended") await box.suspend();
  let steps = 0;
  const stop = onLifeStep(({ phase }) => {
    if (phase === "start" && ++steps === at) disk.fill();
  });
  const [outcome] = await Promise.allSettled([run(host, box)]);
  stop();
  const error: unknown = outcome.status === "rejected" ? outcome.reason : undefined;
  disk.clear();
  endOwners(host);
  await recoverHome(home);
  const { state } = await box.info();
  assert.ok(after.includes(state), `${what}: ${state}`);
  if (error !== undefined) {
    const names = (await Sandbox.list({ host })).map(({ name }) => name);
    assert.deepEqual(names, ["box"], what);
    assert.deepEqual(host.catalog.snapshots.list(), [], what);
  }
  if (state === "suspended") await box.resume();
  const vm = await findVm(host, box.id);
  assert.ok(vm, what);
  assert.equal(await askFakeGuest(vm, "recall memory"), "kept", what);
  disk.fill();
  await box.destroy();
  disk.clear();
  await destroyAll(host);
  await checkNoVm(home);
  return { steps, error };
}

/** As if the process had ended whose sandboxes there was no room to forget. */
function endOwners({ catalog }: Host): void {
  for (const { id, owner, phase } of catalog.sandboxes.list()) {
    if (owner !== null && phase === "creating")
      catalog.sandboxes.update(id, { owner: { ...owner, startTime: "1" } });
  }
}

/** It says what is full, and what to do. */
function checkError(error: unknown, disk: SmallDisk, what: string): void {
  assert.ok(isVirgaError(error), `${what}: ${String(error)}`);
  assert.match(error.message, /ENOSPC/u, what);
  assert.ok(error.message.includes(disk.directory), `${what}: ${error.message}`);
  assert.match(error.hint ?? "", /[Ff]ree space/u, what);
}
