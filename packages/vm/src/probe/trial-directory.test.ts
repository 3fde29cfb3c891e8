import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { makeTrialDirectory, sweepTrialDirectories } from "./trial-directory.ts";

test("a trial directory that cannot be cleared stays, and the others are removed", async (t) => {
  const place = await useTemporaryDirectory(t);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = place;
  t.after(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  const mine = makeTrialDirectory();
  const stale = ["a", "b", "c"].map((name) => join(place, `virga-trial-${name}`));
  for (const path of stale) {
    mkdirSync(path);
    writeFileSync(join(path, "owner.db"), "");
  }
  const [, broken = ""] = stale;
  const failures: unknown[] = [];
  const clear = (path: string): Promise<void> =>
    path === broken ? Promise.reject(new Error("it stays")) : Promise.resolve();
  await sweepTrialDirectories(clear, (error, path) => failures.push([error, path]));
  assert.deepEqual(failures, [[new Error("it stays"), broken]]);
  assert.deepEqual(
    readdirSync(place)
      .map((name) => join(place, name))
      .toSorted(),
    [mine.path, broken].toSorted(),
  );
  await sweepTrialDirectories(
    () => Promise.resolve(),
    (error) => assert.fail(String(error)),
  );
  assert.equal(existsSync(broken), false);
  await mine.remove();
  assert.deepEqual(readdirSync(place), []);
});
