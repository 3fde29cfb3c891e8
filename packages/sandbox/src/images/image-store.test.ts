import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { useTemporaryDirectory } from "@virga/testkit";
import { tryLock } from "@virga/vm";
import { imagePaths } from "./image-paths.ts";
import { ImageStore } from "./image-store.ts";
import { buildText, digestOf, storeWith } from "../../test/image-stores.ts";

/** What is in a store beside locks and tags. */
async function imagesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => !name.endsWith(".lock") && name !== "tags");
}

test("an image is made once, however many ask at once, and all their names point to it", async (t) => {
  const directory = join(await useTemporaryDirectory(t), "images");
  let builds = 0;
  const asked = await Promise.all(
    ["a", "b", "c"].map((name) =>
      // As other processes would: a lock is not shared within one.
      new ImageStore({ directory }).ensure(digestOf("x"), {
        name,
        build: async (base) => {
          builds++;
          return buildText("x")(base);
        },
      }),
    ),
  );
  assert.equal(builds, 1);
  assert.equal(asked.filter(({ built }) => built).length, 1);
  const [image, ...others] = await new ImageStore({ directory }).list();
  assert.deepEqual(others, []);
  assert.deepEqual(image?.names, ["a", "b", "c"]);
});

test("a name moves to the image that got it last; the other one stays without a name", async (t) => {
  const { store, digest } = await storeWith(t, "tools");
  const other = digestOf("new");
  await store.ensure(other, { name: "tools", build: buildText("new", "2026-02-01T00:00:00.000Z") });
  assert.equal((await store.find("tools"))?.record.digest, other);
  const listed = await store.list();
  assert.deepEqual(
    listed.map(({ record, names }) => [record.digest, names]),
    [
      [other, ["tools"]],
      [digest, []],
    ],
  );
  assert.deepEqual(await store.remove(digest.slice(0, 20)), { digest, names: [], removed: true });
});

test("an image goes with its last name, or by its digest with all of them", async (t) => {
  const { store, directory, digest } = await storeWith(t, "one");
  await store.ensure(digest, { name: "two", build: () => assert.fail("it is there") });
  assert.deepEqual(await store.remove("one"), { digest, names: ["one"], removed: false });
  assert.deepEqual(await store.remove("two"), { digest, names: ["two"], removed: true });
  await assert.rejects(store.remove("two"), { code: "NOT_FOUND" });
  assert.deepEqual(await imagesIn(directory), []);
  for (const name of ["one", "two"]) await store.ensure(digest, { name, build: buildText("one") });
  assert.deepEqual(await store.remove(digest), { digest, names: ["one", "two"], removed: true });
  assert.deepEqual(await readdir(join(directory, "tags")), []);
});

test("a name that moves while it is removed goes from where it is then", async (t) => {
  const { store, digest } = await storeWith(t, "tools");
  await store.ensure(digest, { name: "kept", build: () => assert.fail("it is there") });
  const other = digestOf("new");
  const find = store.find.bind(store);
  const moved = async (name: string): ReturnType<typeof find> => {
    const found = await find(name);
    await store.ensure(other, { name: "tools", build: buildText("new") });
    return found;
  };
  t.mock.method(store, "find", moved, { times: 1 });
  assert.deepEqual(await store.remove("tools"), { digest: other, names: ["tools"], removed: true });
  assert.equal((await store.find("kept"))?.record.digest, digest);
});

test("who has an image alone only for a moment is waited for by its removal", async (t) => {
  const { store, directory, digest } = await storeWith(t, "tools");
  const alone = tryLock(imagePaths(directory, digest).lock);
  const removal = store.remove("tools");
  removal.catch(() => undefined);
  // Until after its first try.
  await sleep(30);
  alone?.release();
  assert.deepEqual(await removal, { digest, names: ["tools"], removed: true });
});

test("an image in use is not removed, until its user's release or death", async (t) => {
  const { store, directory, digest } = await storeWith(t, "tools");
  const use = await store.use(digest);
  await assert.rejects(store.remove("tools"), { code: "IN_USE" });
  assert.ok(await store.find("tools"), "nothing of it was removed");
  use?.release();
  const module = new URL("image-store.ts", import.meta.url).href;
  const script = `const { ImageStore } = await import(${JSON.stringify(module)});
    await new ImageStore({ directory: ${JSON.stringify(directory)} }).use("${digest}");
    console.log("used"); setInterval(() => {}, 1e6);`;
  const flags = ["--conditions=virga-source", "--input-type=module", "--eval", script];
  const user = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
  await once(user.stdout, "data");
  await assert.rejects(store.remove("tools"), { code: "IN_USE" });
  user.kill("SIGKILL");
  await once(user, "close");
  assert.equal((await store.remove("tools")).removed, true);
});

test("a failed build leaves nothing, and what a killed one left is swept", async (t) => {
  const { store, directory, digest } = await storeWith(t, "tools");
  const build = async (base: string): Promise<never> => {
    await writeFile(base, "half");
    throw new Error("no");
  };
  await assert.rejects(store.ensure(digestOf("y"), { name: "y", build }), /^Error: no$/);
  assert.equal(await store.find("y"), undefined);
  const hex = digest.slice(7);
  assert.deepEqual(await imagesIn(directory), [hex]);
  for (const phase of ["building", "dropping"]) {
    await mkdir(join(directory, `.${phase}-${digestOf("z").slice(7)}`));
  }
  await mkdir(join(directory, "somebody-elses"));
  await store.sweep();
  assert.deepEqual(await imagesIn(directory), [hex, "somebody-elses"]);
});

test("what is under construction is not swept, and not found", async (t) => {
  const { store, directory } = await storeWith(t, "tools");
  await store.ensure(digestOf("y"), {
    name: "y",
    build: async (base) => {
      const record = await buildText("y")(base);
      await new ImageStore({ directory }).sweep();
      assert.equal(await store.find(digestOf("y")), undefined);
      return record;
    },
  });
  assert.ok(await store.find("y"));
});

test("a damaged image is as good as none, and is made anew", async (t) => {
  const { store, digest } = await storeWith(t, "tools");
  const image = await store.find("tools");
  assert.ok(image);
  await truncate(image.base, 1);
  assert.equal(await store.find("tools"), undefined);
  assert.deepEqual(await store.list(), []);
  const again = await store.ensure(digest, { name: "tools", build: buildText("tools") });
  assert.equal(again.built, true);
  await writeFile(join(image.base, "..", "image.json"), "{");
  assert.equal(await store.find("tools"), undefined);
});

test("the beginning of a digest must be long enough, and no other's", async (t) => {
  const { store, digest } = await storeWith(t, "tools");
  const hex = digest.slice(7);
  assert.equal(await store.find(hex.slice(0, 5)), undefined);
  assert.equal((await store.find(hex.slice(0, 6)))?.record.digest, digest);
  assert.equal((await store.find(`sha256:${hex.slice(0, 12)}`))?.record.digest, digest);
  const twin = `sha256:${hex.slice(0, 63)}${hex.endsWith("0") ? "1" : "0"}`;
  const build = async (base: string) => ({ ...(await buildText("t")(base)), digest: twin });
  await store.ensure(twin, { name: "twin", build });
  await assert.rejects(store.find(hex.slice(0, 12)), {
    code: "INVALID_ARGUMENT",
    message: /stands for several images/,
  });
});
