import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { prerequisite, useTemporaryDirectory } from "@virga/testkit";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const noApt =
  spawnSync("apt-get", ["--version"]).status === 0 ? undefined : "this machine has no apt";

test(
  "virga setup makes a bare home ready, and is quick and quiet the second time",
  { skip: prerequisite("apt", noApt) },
  async (t) => {
    const home = await useTemporaryDirectory(t);
    const virga = (...args: string[]) =>
      promisify(execFile)(process.execPath, ["--conditions=virga-source", main, ...args], {
        env: { ...process.env, VIRGA_HOME: home },
      });
    const first = await virga("setup", "--yes");
    assert.match(first.stderr, /^virga: Setting up what is missing: .*the guest kernel/m);
    assert.match(first.stderr, /^virga: Building the guest's initramfs$/m);
    assert.match(first.stdout, /^Ready: guest kernel \d+\.\d+\S+, image busybox\.\n$/);
    const second = await virga("setup", "--yes");
    assert.deepEqual(second, { stdout: first.stdout, stderr: "" });
    const told = JSON.parse((await virga("setup", "--json")).stdout);
    assert.deepEqual(Object.keys(told), ["kernelRelease", "kernel", "initramfs"]);
    assert.ok(first.stdout.includes(`guest kernel ${told.kernelRelease},`));

    const { checks } = JSON.parse((await virga("doctor", "--json")).stdout);
    const failed = checks
      .filter(({ ok }: { ok: boolean }) => !ok)
      .map(({ name }: { name: string }) => name);
    for (const name of ["guest-kernel", "image-busybox", "agent-and-launcher", "directories"]) {
      assert.ok(!failed.includes(name), name);
    }
  },
);
