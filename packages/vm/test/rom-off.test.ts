import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { qemuDriver } from "../src/hypervisor/qemu/driver.ts";
import { withFake } from "./with-fake.ts";

for (const romOff of [true, false]) {
  const what = romOff ? "only to read, where it has rom=off" : "to write, where it must";
  test(`QEMU gets the memory that clones share ${what}; it is asked once for all VMs`, (t) =>
    withFake(
      t,
      qemuDriver(),
      { romOff },
      async ({ place, fake, manager, boot, config, another }) => {
        const vm = await boot("t");
        await manager.pause("t");
        const snapshot = join(place.scratch, "snapshot");
        await manager.snapshot("t", snapshot);
        const { mode } = await stat(join(snapshot, "memory"));
        assert.equal(mode & 0o777, romOff ? 0o444 : 0o600);
        // The fake fails on a file that it is to write to and cannot, and on `rom=off` where it said that it has none.
        const clone = await another().createFromSnapshot(
          config("c", { restoreMode: "shared" }),
          snapshot,
        );
        const argv = (await readFile(`/proc/${clone.pid}/cmdline`, "utf8")).split("\0");
        const memory = argv.find((word) => word.startsWith("memory-backend-file"));
        assert.match(memory ?? "", romOff ? /,share=off,readonly=on,rom=off$/u : /,share=off$/u);
        assert.deepEqual(fake.questions(), ["--version", "-object memory-backend-file,help"]);
        await clone.destroy();
        await vm.destroy();
      },
    ));
}
