import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { prerequisite } from "@virga/testkit";
import { ensureReady } from "../src/setup/setup.ts";
import type { SetupEvent } from "../src/setup/setup-options.ts";
import { updateKernel } from "../src/setup/update-kernel.ts";
import { templatePaths } from "../src/templates/template-paths.ts";
import { useFakeMachine } from "./fake-machine.ts";

const noCompiler =
  spawnSync("musl-gcc", ["--version"]).status === 0 ? undefined : "musl-gcc is not installed";
const skip = prerequisite("compiler", noCompiler);
const [FIRST, SECOND, THIRD, FOURTH] = [
  "6.12.9-cloud",
  "6.12.10-cloud",
  "6.12.11-cloud",
  "7.1-cloud",
];
const idOf = (release: string): string => `${release}_6.12.9-1`;

test(
  "an update takes the newest kernel, keeps what templates use, and downloads nothing when there is none",
  { skip },
  async (t) => {
    const fake = await useFakeMachine(t);
    const { home } = fake;
    const events: SetupEvent[] = [];
    const onEvent = (event: SetupEvent): number => events.push(event);
    const update = () => updateKernel({ ...fake, mode: "auto", onEvent });
    const kernels = async (): Promise<string[]> =>
      (await readdir(home.kernel)).filter((name) => name !== "current").toSorted();
    const downloads = async (): Promise<number> =>
      (await fake.calls()).filter((call) => call.includes("download linux-image")).length;

    // The first time it sets up, and finds that this is the newest.
    const first = await update();
    assert.deepEqual([first.updated, first.before, first.dropped], [false, FIRST, []]);
    assert.equal(await downloads(), 1);

    await fake.offerKernel(SECOND);
    assert.equal((await ensureReady({ ...fake, mode: "auto" })).kernelRelease, FIRST);
    const second = await update();
    assert.deepEqual([second.updated, second.before, second.dropped], [true, FIRST, []]);
    assert.equal(second.assets.kernelId, idOf(SECOND));
    assert.notEqual(second.assets.initramfsHash, first.assets.initramfsHash);
    assert.ok((await readFile(second.assets.initramfs)).includes(`vermagic=${SECOND}`));
    assert.deepEqual(await ensureReady({ ...fake, mode: "auto" }), second.assets);
    assert.equal(await downloads(), 2);
    const starts = events.filter(({ phase }) => phase === "start").map(({ message }) => message);
    assert.ok(starts.includes(`Fetching the guest kernel ${SECOND}`));

    // One that a template was made with stays; another goes, but not the one of just before.
    const { directory, description } = templatePaths(home.templates, "a".repeat(32));
    await mkdir(directory);
    await writeFile(description, JSON.stringify({ parts: { kernel: idOf(FIRST) } }));
    await fake.offerKernel(THIRD);
    assert.deepEqual((await update()).dropped, []);
    await fake.offerKernel(FOURTH);
    assert.deepEqual((await update()).dropped, [idOf(SECOND)]);
    assert.deepEqual(await kernels(), [idOf(THIRD), idOf(FIRST), idOf(FOURTH)].toSorted());

    const { updated, dropped } = await update();
    assert.deepEqual([updated, dropped, await downloads()], [false, [idOf(THIRD)], 4]);
  },
);

test("a download that fails leaves the kernel that there is", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const before = await ensureReady({ ...fake, mode: "auto" });
  await fake.offerKernel(SECOND);
  await fake.program(
    "apt-get",
    'case "$*" in *update*) exit 0;; *) echo "E: 404  Not Found" >&2; exit 100;; esac',
  );
  await assert.rejects(updateKernel({ ...fake, mode: "auto" }), {
    code: "SETUP_FAILED",
    message: /404 {2}Not Found$/,
  });
  assert.deepEqual(await ensureReady({ ...fake, mode: "auto" }), before);
  await fake.program("apt-get", 'echo "E: no network" >&2; exit 100');
  await assert.rejects(updateKernel({ ...fake, mode: "auto" }), {
    code: "SETUP_FAILED",
    message: /update the lists of packages: [^]*E: no network$/,
  });
});

test("who is not root takes the lists as they are", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  await ensureReady({ ...fake, mode: "auto" });
  await fake.offerKernel(SECOND);
  const before = (await fake.calls()).filter((call) => call.startsWith("apt-get update")).length;
  const machine = { ...fake.machine, root: false };
  const { updated } = await updateKernel({ ...fake, machine, mode: "auto" });
  const after = (await fake.calls()).filter((call) => call.startsWith("apt-get update")).length;
  assert.deepEqual([updated, after], [true, before]);
});
