import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  fakeConfig,
  mountsMissing,
  rejectsWithCode,
  testProgram,
  useTemporaryDirectory,
} from "@virga/testkit";
import { VmManager } from "../src/vm-manager.ts";
import { drivers, withFake } from "./with-fake.ts";

for (const driver of drivers) {
  test(
    `${driver.name}: a state directory without room is named, wherever it gives out`,
    { skip: mountsMissing() },
    async (t) => {
      // Not in the test's own place: a VMM that another test starts meanwhile copies this mount with all others, and would count as left behind here.
      const mount = await useTemporaryDirectory(t);
      await withFake(t, driver, {}, async ({ fake, place }) => {
        const launcher = await testProgram("launcher");
        // The answers of the hypervisor's binary and the record alone take three pages, the directories and files of a VM more than twelve inodes.
        for (const options of [
          "size=4k",
          "size=8k",
          "nr_inodes=4",
          "nr_inodes=8",
          "nr_inodes=12",
        ]) {
          execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", mount]);
          const directory = join(mount, "s");
          const manager = new VmManager({ directory, launcher, drivers: [driver] });
          try {
            const create = manager.create(fakeConfig(place, "vm", fake));
            const error = await rejectsWithCode(create, "IO_ERROR", /ENOSPC/);
            assert.ok(error.message.includes(mount), `${options}: ${error.message}`);
            assert.match(error.hint ?? "", /Free space/, options);
            assert.deepEqual(manager.list(), []);
            assert.deepEqual(
              readdirSync(mount, { recursive: true, encoding: "utf8" }).filter(
                (name) => !/^s(\/\.builds.*)?$/u.test(name),
              ),
              [],
              options,
            );
          } finally {
            for (const vm of manager.list()) await vm.destroy();
            execFileSync("umount", [mount]);
          }
        }
      });
    },
  );
}
