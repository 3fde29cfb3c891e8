import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  managerOn,
  qemuMissing,
  qemuSubject,
  testAssets,
  testForeignSystem,
  withLeakCheck,
} from "@virga/testkit";
import { readTail } from "../src/read-tail.ts";

// The distribution's kernel has its disk driver in a module, so without our initramfs it cannot mount the root disk; that it looks for it, and
// everything else the seed put on its command line, stands in its messages.
test(
  "a kernel without initramfs and agent is given root= and init=, and its end is noticed",
  { skip: qemuMissing() },
  async (t) => {
    const { vmlinux } = await testAssets();
    await withLeakCheck(t, async (place) => {
      const rootfs = join(place.scratch, "rootfs.ext4");
      writeFileSync(rootfs, "");
      truncateSync(rootfs, 2 ** 20);
      const manager = await managerOn(qemuSubject, place);
      const vm = await manager.create({
        sandboxId: "foreign",
        hypervisor: "qemu",
        kernel: vmlinux,
        rootfs: { path: rootfs },
        initPath: "/sbin/init",
        guestChannel: false,
        memoryMib: 128,
        kernelArguments: ["loglevel=7", "panic=-1"],
        timeouts: { launchMs: 30_000 },
      });
      const exit = await vm.exited;
      assert.equal(exit.reason, "guest-panic");
      const path = join(vm.config.vmDirectory, "run", "console.log");
      const console = (await readTail(path, 2 ** 20)).bytes.toString("utf8");
      assert.match(console, /Kernel command line: .*root=\/dev\/vda rw init=\/sbin\/init/u);
      assert.match(console, /Unable to mount root fs|Cannot open root device "\/dev\/vda"/u);
      await vm.destroy();
    });
  },
);

describe("real guests", { skip: qemuMissing() }, () => {
  testForeignSystem("qemu", qemuSubject);
});
