import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  askFakeGuest,
  mountsMissing,
  rejectsWithCode,
  useTemporaryDirectory,
} from "@virga/testkit";
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
