import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  askFakeGuest,
  mountsMissing,
  rejectsWithCode,
  testProgram,
  useTemporaryDirectory,
} from "@virga/testkit";
import { VmManager } from "../src/vm-manager.ts";
import { drivers, withFake } from "./with-fake.ts";

const skip = mountsMissing();

for (const driver of drivers) {
  for (const kind of ["full", "read-only"] as const) {
    test(
      `${driver.name}: a snapshot onto a ${kind} file system fails whole`,
      { skip },
      async (t) => {
        // Not in the test's own place: a VMM that another test starts meanwhile copies this mount with all others, and would count as left behind here.
        const mount = await useTemporaryDirectory(t);
        await withFake(t, driver, {}, async ({ boot, manager, place }) => {
          await using vm = await boot("vm");
          await manager.pause("vm");
          // Smaller than what a snapshot's small files take.
          const options = kind === "full" ? "size=4k,nr_inodes=16" : "ro";
          execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", mount]);
          try {
            const target = join(mount, "snapshot");
            const error = await rejectsWithCode(
              manager.snapshot("vm", target),
              "IO_ERROR",
              /snapshot/,
            );
            assert.match(error.message, kind === "full" ? /ENOSPC|no space/i : /EROFS|read-only/i);
            assert.doesNotMatch(error.message, /file system of/, "the VM's is not to blame");
            assert.equal(existsSync(target), false);
            assert.deepEqual(readdirSync(mount), []);
          } finally {
            execFileSync("umount", [mount]);
          }
          assert.equal(vm.state, "paused");
          await manager.snapshot("vm", join(place.scratch, "elsewhere"));
          await manager.resume("vm");
          assert.equal(await askFakeGuest(vm, "ping"), "pong");
        });
      },
    );
  }
}

for (const driver of drivers) {
  test(
    `${driver.name}: a snapshot for which the state directory has no room says so and fails whole`,
    { skip },
    async (t) => {
      const mount = await useTemporaryDirectory(t);
      await withFake(t, driver, {}, async ({ config, place }) => {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", mount]);
        const launcher = await testProgram("launcher");
        const directory = join(mount, "s");
        const manager = new VmManager({ directory, launcher, drivers: [driver] });
        try {
          const vm = await manager.create(config("vm"));
          await manager.pause("vm");
          const filler = join(mount, "filler");
          assert.throws(() => writeFileSync(filler, Buffer.alloc(4 * 2 ** 20)), /ENOSPC/);
          const target = join(place.scratch, "snapshot");
          const error = await rejectsWithCode(manager.snapshot("vm", target), "IO_ERROR", /ENOSPC/);
          assert.ok(error.message.includes(mount), error.message);
          assert.match(error.hint ?? "", /^Free space/);
          assert.equal(existsSync(target), false);
          assert.equal(vm.state, "paused");
          rmSync(filler);
          await manager.snapshot("vm", target);
          await manager.resume("vm");
          assert.equal(await askFakeGuest(vm, "ping"), "pong");
        } finally {
          for (const vm of manager.list()) await vm.destroy();
          execFileSync("umount", [mount]);
        }
      });
    },
  );
}
