import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cacheDirectory, cached } from "./cache.ts";

test("the cache follows VIRGA_HOME, then XDG_CACHE_HOME", () => {
  assert.equal(cacheDirectory({ VIRGA_HOME: "/v", XDG_CACHE_HOME: "/x" }), "/v/lab");
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: "/x" }), "/x/virga/lab");
  assert.match(cacheDirectory({}), /\/\.cache\/virga\/lab$/);
});

test("a cached directory is made once, appears whole, and a failure leaves nothing", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), "virga-cache-"));
  t.after(() => rm(parent, { recursive: true }));
  const target = join(parent, "thing");
  await assert.rejects(
    cached(target, async (work) => {
      await writeFile(join(work, "half"), "");
      throw new Error("full disk");
    }),
    /full disk/,
  );
  assert.deepEqual(await readdir(parent), []);

  const make = (text: string) => (work: string) => writeFile(join(work, "file"), text);
  await Promise.all([cached(target, make("a")), cached(target, make("a"))]);
  await cached(target, make("b"));
  assert.equal(await readFile(join(target, "file"), "utf8"), "a");
  assert.deepEqual(await readdir(parent), ["thing"]);
});
