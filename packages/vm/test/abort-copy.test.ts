import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { rejectsWithCode, usePathPrograms } from "@virga/testkit";
import { assertNothing, drivers, withFake } from "./with-fake.ts";

const FILE = { memoryForm: "file", balloon: false, restoreMode: "copy" } as const;

for (const driver of drivers) {
  test(`${driver.name}: an abort does not wait for the memory of a restore to be copied`, async (t) => {
    await withFake(t, driver, {}, async (bench) => {
      const { boot, manager, place, config } = bench;
      const parent = await boot("parent", FILE);
      await manager.pause("parent");
      const snapshot = join(place.scratch, "snapshot");
      await manager.snapshot("parent", snapshot);
      await parent.destroy();

      const begun = join(place.scratch, "begun");
      // Longer than this test may take.
      await usePathPrograms(t, place.scratch, { cp: `: > '${begun}'; exec sleep 3600` });
      const abort = new AbortController();
      const { signal } = abort;
      let isOver = false;
      const restored = rejectsWithCode(
        manager.createFromSnapshot(config("clone", FILE), snapshot, { signal }),
        "ABORTED",
        /run directory: .*copying/,
      ).finally(() => {
        isOver = true;
      });
      while (!existsSync(begun) && !isOver) await new Promise(setImmediate);
      abort.abort(new Error("no patience"));
      await restored;
      assertNothing(bench);
      assert.ok(existsSync(begun));
    });
  });
}
