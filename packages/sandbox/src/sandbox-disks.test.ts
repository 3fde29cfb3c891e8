import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { homePaths, openHome } from "./home.ts";
import { clonedUpper, removeUpper, upperPath } from "./sandbox-disks.ts";
import { templatePaths } from "./templates/template-paths.ts";

test("a clone's disk is a copy of its template's, and a template that lost it is damaged", async (t) => {
  const place = await useTemporaryDirectory(t);
  const home = homePaths({ env: { VIRGA_HOME: join(place, "h") }, uid: 0, userHome: "/" });
  await openHome(home);
  const { directory, snapshot, upper } = templatePaths(home.templates, "0".repeat(32));
  await mkdir(directory);
  const disk = upperPath(home, "a");
  await assert.rejects(clonedUpper(snapshot, disk, undefined), {
    code: "SNAPSHOT_INVALID",
    message: /has lost its disk/,
  });
  await writeFile(upper, "the template's");
  // What an attempt before this one left is no hindrance.
  await writeFile(disk, "left");
  await clonedUpper(snapshot, disk, undefined);
  await writeFile(disk, "the clone's");
  assert.equal(await readFile(upper, "utf8"), "the template's");
  await removeUpper(home, "a");
  await removeUpper(home, "a");
  await assert.rejects(readFile(disk), { code: "ENOENT" });
});
