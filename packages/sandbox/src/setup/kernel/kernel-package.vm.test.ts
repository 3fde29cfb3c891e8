import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { basename, join } from "node:path";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { prerequisite, useTemporaryDirectory } from "@virga/testkit";
import { currentKernel } from "./kernel-store.ts";
import { fetchKernelPackage } from "./kernel-package.ts";
import { readModuleInfo } from "./module-info.ts";

const noApt =
  spawnSync("apt-get", ["--version"]).status === 0 ? undefined : "this machine has no apt";

test(
  "the distribution's kernel is fetched whole, its modules in an order that can be loaded",
  { skip: prerequisite("apt", noApt) },
  async (t) => {
    const root = join(await useTemporaryDirectory(t), "kernel");
    const kernel = await fetchKernelPackage({ root });
    assert.deepEqual(await currentKernel(root), kernel);
    assert.ok(kernel.vmlinux, "it is unpacked");
    const vmlinux = await readFile(kernel.vmlinux);
    assert.equal(vmlinux.toString("latin1", 1, 4), "ELF");
    assert.ok(vmlinux.includes(`Linux version ${kernel.release} (`));
    const loaded = new Set<string>();
    for (const path of kernel.modules) {
      const { depends, release } = readModuleInfo(await readFile(path));
      assert.equal(release, kernel.release);
      for (const name of depends) assert.ok(loaded.has(name), `${path} is after ${name}`);
      loaded.add(basename(path, ".ko"));
    }
    for (const name of ["virtio_blk", "virtio_net", "overlay", "squashfs", "pvpanic_pci"]) {
      assert.ok(loaded.has(name), name);
    }
  },
);
