import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { prerequisite } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { ensureReady, ensureTools } from "../src/setup/setup.ts";
import type { SetupEvent } from "../src/setup/setup-options.ts";
import { useFakeMachine, type FakeMachine } from "./fake-machine.ts";

const noCompiler =
  spawnSync("musl-gcc", ["--version"]).status === 0 ? undefined : "musl-gcc is not installed";
const skip = prerequisite("compiler", noCompiler);

const rejectsWith = (code: string, message: RegExp, hint?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof VirgaError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  if (hint !== undefined) assert.match(error.hint ?? "", hint);
  return true;
};

async function assertNothingPartial({ home }: FakeMachine): Promise<void> {
  const names = await readdir(home.state, { recursive: true });
  assert.deepEqual(
    names.filter((name) => name.includes("partial")),
    [],
  );
}

test(
  "a bare machine is set up whole, and the second time nothing is started",
  { skip },
  async (t) => {
    const fake = await useFakeMachine(t);
    const events: SetupEvent[] = [];
    const options = {
      ...fake,
      mode: "auto" as const,
      onEvent: (event: SetupEvent) => events.push(event),
    };
    const assets = await ensureReady(options);
    assert.equal(assets.kernelId, "6.12.9-cloud_6.12.9-1");
    assert.equal((await readFile(assets.kernel, "utf8")).slice(1), "ELF kernel");
    assert.ok((await readFile(assets.initramfs)).includes("agent"));
    assert.equal(await readFile(assets.launcher, "utf8"), "launcher");

    const [plan] = events;
    assert.equal(plan?.phase, "plan");
    assert.match(plan?.message ?? "", /qemu-system-\S+ \(to run microVMs\).*the guest kernel/);
    assert.deepEqual(
      events.filter(({ phase }) => phase === "start").map(({ step }) => step),
      ["packages", "kernel", "busybox", "initramfs"],
    );
    const progress = events.filter(({ phase }) => phase === "progress");
    assert.deepEqual(
      progress.map(({ step }) => step),
      ["packages", "packages"],
    );

    const calls = await fake.calls();
    const installs = calls.filter((call) => call.includes("install -q"));
    assert.equal(installs.length, 2);
    for (const call of installs) {
      assert.match(call, /-y .*DPkg::Lock::Timeout=\d+ .*--no-install-recommends --no-remove/);
      assert.match(call, /qemu-system-\w+ xz-utils$/);
    }
    assert.ok(!calls.some((call) => /install.*(?:linux-image|busybox)/u.test(call)));

    events.length = 0;
    await writeFile(join(fake.bin, "busybox-was-run"), "");
    assert.deepEqual(await ensureReady(options), assets);
    assert.deepEqual(events, []);
    assert.deepEqual(await fake.calls(), calls);
  },
);

test("what was changed or lost is made again", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const first = await ensureReady({ ...fake, mode: "auto" });
  await writeFile(join(fake.machine.nativeSources.carried, "virga-agent"), "a newer agent");
  const second = await ensureReady({ ...fake, mode: "auto" });
  assert.notEqual(second.initramfsHash, first.initramfsHash);
  assert.equal(second.kernel, first.kernel);
  await rm(second.initramfs);
  await rm(fake.home.kernel, { recursive: true });
  const third = await ensureReady({ ...fake, mode: "auto" });
  assert.deepEqual(third, second);
  assert.ok((await readFile(third.initramfs)).includes("a newer agent"));
});

test("mode never names what is missing and touches nothing", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  await assert.rejects(
    ensureReady({ ...fake, mode: "never" }),
    rejectsWith(
      "SETUP_NEEDED",
      /lacks qemu-system.*guest kernel.*VIRGA_SETUP=never forbids/,
      /^Run: npx virga setup$/,
    ),
  );
  process.env["VIRGA_SETUP"] = "never";
  t.after(() => delete process.env["VIRGA_SETUP"]);
  await assert.rejects(ensureTools(fake), rejectsWith("SETUP_NEEDED", /lacks qemu-system/));
  assert.deepEqual(await fake.calls(), []);
});

test("who is not root is told the exact command, for packages only", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const user = { ...fake, machine: { ...fake.machine, root: false }, mode: "auto" as const };
  await assert.rejects(
    ensureReady(user),
    rejectsWith(
      "SETUP_NEEDED",
      /only root can install packages/,
      /^Run: sudo apt-get update && sudo apt-get install --no-install-recommends qemu-system-\w+ xz-utils$/,
    ),
  );
  assert.deepEqual(await fake.calls(), []);
  await ensureTools({ ...fake, mode: "auto", tools: ["qemu"] });
  await fake.program("xz", "cat");
  assert.ok((await ensureReady(user)).kernel, "the rest needs no root");
});

test("without apt, files given by path do", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  for (const name of ["apt-get", "apt-cache", "dpkg-deb"]) await rm(join(fake.bin, name));
  const options = { ...fake, mode: "auto" as const, tools: [] };
  await assert.rejects(
    ensureReady(options),
    rejectsWith(
      "SETUP_NEEDED",
      /no apt/,
      /^Install xz .* Run: npx virga setup --kernel FILE --modules DIR --busybox FILE$/,
    ),
  );
  await assert.rejects(
    ensureReady({ ...options, given: { kernel: "/k" } }),
    rejectsWith("SETUP_NEEDED", /no apt/, /Run: npx virga setup --kernel \/k --busybox FILE$/),
  );
  await assert.rejects(
    ensureReady({ ...options, given: { modules: "/m" } }),
    rejectsWith(
      "INVALID_ARGUMENT",
      /^Cannot take the kernel modules \/m: the kernel they belong to is not given$/,
      /^Run: npx virga setup --kernel FILE --modules \/m$/,
    ),
  );
  await fake.program("xz", "cat");
  const given = {
    kernel: join(fake.tree("linux-image-6.12.9-cloud"), "boot/vmlinuz-6.12.9-cloud"),
    modules: join(fake.tree("linux-image-6.12.9-cloud"), "lib/modules/6.12.9-cloud"),
    busybox: join(fake.tree("busybox-static"), "bin/busybox"),
  };
  const assets = await ensureReady({ ...options, given });
  assert.match(assets.kernelId, /^given-/);
  assert.deepEqual(await ensureReady({ ...options, given }), assets);
  assert.deepEqual(await ensureReady({ ...options, mode: "never" }), assets, "they are kept");
  await assert.rejects(
    ensureReady({ ...options, given: { busybox: given.kernel } }),
    rejectsWith("SETUP_FAILED", /not a statically linked 64-bit program/),
  );
});

test("a failing installation carries apt's words, and can be done again", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const good = await readFile(join(fake.bin, "apt-get"), "utf8");
  await fake.program(
    "apt-get",
    'case "$*" in update*) ;; *) echo "E: Failed to fetch: no space left" >&2; exit 100;; esac',
  );
  await assert.rejects(
    ensureReady({ ...fake, mode: "auto" }),
    rejectsWith(
      "SETUP_FAILED",
      /install the packages qemu-system.*ended with 100:\nE: Failed to fetch: no space left$/s,
    ),
  );
  await writeFile(join(fake.bin, "apt-get"), good);
  assert.ok((await ensureReady({ ...fake, mode: "auto" })).initramfs);
});

test("a declined installation installs nothing", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const asked: (readonly string[])[] = [];
  const confirm = async (packages: readonly string[]): Promise<boolean> => {
    asked.push(packages);
    return false;
  };
  await assert.rejects(
    ensureReady({ ...fake, mode: "auto", confirm }),
    rejectsWith("SETUP_NEEDED", /declined/, /^Run: sudo apt-get/),
  );
  assert.equal(asked.length, 1);
  assert.deepEqual(await fake.calls(), []);
});

test("an abort ends the download and leaves nothing half done", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  await ensureTools({ ...fake, mode: "auto" });
  await fake.program("xz", "cat");
  await fake.program("apt-get", "echo Get:1; exec sleep 600");
  const abort = new AbortController();
  const onEvent = ({ phase }: SetupEvent): void => {
    if (phase === "progress") abort.abort();
  };
  await assert.rejects(
    ensureReady({ ...fake, mode: "auto", onEvent, signal: abort.signal }),
    rejectsWith("ABORTED", /download/),
  );
  await assertNothingPartial(fake);
});
