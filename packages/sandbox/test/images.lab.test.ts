import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { imageToolsMissing, withLeakCheck } from "@virga/testkit";
import { Images, Sandbox, currentBusybox, homePaths } from "@virga/sandbox";
import { upperPath } from "../src/sandbox-disks.ts";
import { checkNoVm, testHost } from "./test-host.ts";

const hypervisor = process.env["VIRGA_LAB_DRIVER"] === "qemu" ? "qemu" : "cloud-hypervisor";
const skip = imageToolsMissing("sqfstar", "mke2fs");

describe(`images on ${hypervisor} with KVM`, { skip }, () => {
  test("clones of an image's template have disks of their own, which return what is removed", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      const tree = join(place.scratch, "tree");
      mkdirSync(join(tree, "bin"), { recursive: true });
      const busybox = await currentBusybox(homePaths().busybox);
      copyFileSync(busybox ?? assert.fail("set-up gave no busybox"), join(tree, "bin/busybox"));
      for (const name of ["sh", "cat", "dd", "rm", "sync"]) {
        symlinkSync("busybox", join(tree, "bin", name));
      }
      writeFileSync(join(tree, "note"), "of the image");
      await new Images({ home: host.home }).build({ name: "tools", from: tree });
      const shape = { hypervisor, memoryMib: 256, diskMib: 256, image: "tools", host } as const;
      await using one = await Sandbox.create(shape);
      await using two = await Sandbox.create(shape);
      const say = async (sandbox: Sandbox, script: string): Promise<string> => {
        const { stdout, stderr, exitCode } = await sandbox.run(["sh", "-c", script]);
        assert.equal(exitCode, 0, stderr);
        return stdout.trim();
      };
      await say(one, "echo changed > /note; dd if=/dev/urandom of=/big bs=1M count=12 2>&1; sync");
      assert.deepEqual(
        [await say(one, "cat /note"), await say(two, "cat /note")],
        ["changed", "of the image"],
      );
      const disk = upperPath(host.home, one.id);
      const realKib = async (): Promise<number> => (await stat(disk)).blocks / 2;
      const full = await realKib();
      assert.ok(full > 12 * 1024, `${full} KiB`);
      await say(one, "rm /big; sync");
      while ((await realKib()) > 6 * 1024) await sleep(50);
      await one.destroy();
      await two.destroy();
      await checkNoVm(host.home);
    }));
});
