import assert from "node:assert/strict";
import { readlinkSync } from "node:fs";
import promises from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { drivers, withFake } from "./with-fake.ts";

/** Notes which file is flushed and what is renamed to what, in order, until the test ends. */
async function noteFlushes(t: TestContext): Promise<string[]> {
  const notes: string[] = [];
  const file = await promises.open(process.execPath, "r");
  const handle = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  for (const name of ["sync", "datasync"] as const) {
    const flush = handle[name];
    t.mock.method(handle, name, function flushed(this: FileHandle) {
      notes.push(`flush ${readlinkSync(`/proc/self/fd/${this.fd}`)}`);
      return flush.call(this);
    });
  }
  const { rename } = promises;
  t.mock.method(promises, "rename", (from: string, to: string) => {
    notes.push(`rename ${from} to ${to}`);
    return rename(from, to);
  });
  // Also for those who imported it by name.
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return notes;
}

for (const driver of drivers) {
  test(`${driver.name}: a snapshot is on the disk before it has its name, and then the name is too`, async (t) => {
    await withFake(t, driver, {}, async ({ boot, manager, place }) => {
      await using _ = await boot("vm");
      await manager.pause("vm");
      const notes = await noteFlushes(t);
      const target = join(place.scratch, "snapshot");
      const { files } = await manager.snapshot("vm", target);
      const published = notes.findIndex((note) => note.endsWith(` to ${target}`));
      const temporary = /^rename (\S+) to/.exec(notes[published] ?? "")?.[1];
      assert.ok(temporary !== undefined, notes.join("\n"));
      const before = notes.slice(0, published);
      for (const { name } of files)
        assert.ok(before.includes(`flush ${join(temporary, name)}`), `${name} was not flushed`);
      const manifest = before.findIndex((note) => note.endsWith("/manifest.json"));
      assert.match(before[manifest - 1] ?? "", /^flush .*\/manifest\.json\.\S+$/);
      assert.ok(before.slice(manifest).includes(`flush ${temporary}`), "the names in it");
      assert.ok(notes.slice(published).includes(`flush ${place.scratch}`), "its own name");
    });
  });
}
