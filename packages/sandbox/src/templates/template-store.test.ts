import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { silentLogger } from "@virga/vm";
import { dropTemplates } from "./drop-templates.ts";
import type { TemplateParts } from "./template-key.ts";
import { TemplateStore } from "./template-store.ts";

const parts = {} as TemplateParts;
const keys = ["a", "b", "c"].map((letter) => letter.repeat(32)) as [string, string, string];
const blob = Buffer.alloc(64 * 1024, 1);

async function build(snapshotDirectory: string): Promise<void> {
  await mkdir(snapshotDirectory);
  await writeFile(join(snapshotDirectory, "memory"), blob);
}

async function newStore(t: TestContext, limitBytes = 1e9, inUse: string[] = []) {
  const directory = await useTemporaryDirectory(t);
  const store = new TemplateStore({ directory, limitBytes, inUse: async () => new Set(inUse) });
  const templates = async (): Promise<string[]> =>
    (await readdir(directory)).filter((name) => !name.endsWith(".lock")).toSorted();
  return { directory, store, templates };
}

test("a template is made once, however many ask at once", async (t) => {
  const { store, directory } = await newStore(t);
  let builds = 0;
  const ask = (): ReturnType<TemplateStore["ensure"]> =>
    store.ensure(keys[0], {
      parts,
      build: async (path) => {
        builds++;
        await new Promise(setImmediate);
        await build(path);
      },
    });
  const uses = await Promise.all([ask(), ask(), ask(), ask(), ask()]);
  assert.equal(builds, 1);
  assert.equal(uses.filter((use) => use.built).length, 1);
  for (const use of uses) {
    assert.equal(use.snapshotDirectory, join(directory, keys[0], "snapshot"));
    use.release();
    use.release();
  }
  const again = await store.find(keys[0]);
  assert.equal(again?.built, false);
  again?.release();
  assert.equal(await store.find(keys[1]), undefined);
});

test("processes that ask at once make one template", async (t) => {
  const { directory, templates } = await newStore(t);
  const script = `
    import { TemplateStore } from ${JSON.stringify(new URL("template-store.ts", import.meta.url).href)};
    import { mkdir, appendFile } from "node:fs/promises";
    const store = new TemplateStore({ directory: process.argv[1], limitBytes: 1e9, inUse: async () => new Set() });
    const use = await store.ensure(process.argv[2], { parts: {}, build: async (path) => {
      await mkdir(path);
      await appendFile(process.argv[1] + "/builds", "x");
    } });
    use.release();`;
  const processes = keys.map(() =>
    spawn(
      process.execPath,
      ["--conditions=virga-source", "--input-type=module", "-e", script, directory, keys[0]],
      { stdio: ["ignore", "inherit", "inherit"] },
    ),
  );
  const codes = await Promise.all(processes.map(async (child) => (await once(child, "exit"))[0]));
  assert.deepEqual(codes, [0, 0, 0]);
  assert.deepEqual(await templates(), [keys[0], "builds"]);
});

test("a failed build leaves nothing, and the next one to ask builds", async (t) => {
  const { store, templates } = await newStore(t);
  const failing = store.ensure(keys[0], {
    parts,
    build: async (path) => {
      await build(path);
      throw new Error("no guest");
    },
  });
  await assert.rejects(failing, /no guest/);
  assert.deepEqual(await templates(), []);
  const use = await store.ensure(keys[0], { parts, build });
  assert.ok(use.built);
  use.release();
});

test("what a killed builder left does not count and is removed", async (t) => {
  const { store, directory, templates } = await newStore(t);
  await build(join(directory, `.building-${keys[0]}`));
  await build(join(directory, `.building-${keys[1]}`));
  await build(join(directory, `.dropping-${keys[2]}`));
  // Damaged: there is no description.
  await build(join(directory, keys[0]));
  const use = await store.ensure(keys[0], { parts, build });
  assert.ok(use.built);
  await store.prune();
  assert.deepEqual(await templates(), [keys[0]]);
  use.release();
});

test("the least used templates are dropped, never one in use", async (t) => {
  const inUse: string[] = [];
  const { store, directory, templates } = await newStore(t, 2.5 * blob.length, inUse);
  for (const [index, key] of keys.entries()) {
    (await store.ensure(key, { parts, build })).release();
    const time = new Date(Date.now() - 60_000 * (10 - index));
    await utimes(join(directory, key, "used"), time, time);
  }
  // The oldest one is used again, which makes the second the least used.
  (await store.find(keys[0]))?.release();
  await store.prune();
  assert.deepEqual(await templates(), [keys[0], keys[2]]);
  (await store.ensure(keys[1], { parts, build })).release();
  const held = await store.find(keys[2]);
  assert.ok(held);
  inUse.push(join(directory, keys[0], "snapshot"));
  await store.prune();
  assert.deepEqual(await templates(), [keys[0], keys[2]], "the held one and the mapped one stay");
  held.release();
});

test("waiting for a template ends with the signal and the deadline", async (t) => {
  const { store } = await newStore(t);
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const building = store.ensure(keys[0], {
    parts,
    build: async (path) => {
      begun.resolve();
      await gate.promise;
      await build(path);
    },
  });
  await begun.promise;
  await assert.rejects(store.ensure(keys[0], { parts, build, timeoutMs: 1 }), { code: "TIMEOUT" });
  const controller = new AbortController();
  const waiting = store.ensure(keys[0], {
    parts,
    build,
    onWait: () => controller.abort(),
    signal: controller.signal,
  });
  await assert.rejects(waiting, { code: "ABORTED" });
  gate.resolve();
  (await building).release();
});

test("a damaged template is dropped, but not while it is used", async (t) => {
  const { store, templates } = await newStore(t);
  const use = await store.ensure(keys[0], { parts, build });
  await store.drop(keys[0]);
  assert.deepEqual(await templates(), [keys[0]]);
  use.release();
  await store.drop(keys[0]);
  assert.deepEqual(await templates(), []);
});

test("a template that a power cut or a cleaner damaged is made anew or mended", async (t) => {
  const { store, directory } = await newStore(t);
  (await store.ensure(keys[0], { parts, build })).release();
  for (const text of ["", "null", '{"format":99}']) {
    await writeFile(join(directory, keys[0], "template.json"), text);
    assert.equal(await store.find(keys[0]), undefined);
    const use = await store.ensure(keys[0], { parts, build });
    assert.ok(use.built, `made anew in place of ${JSON.stringify(text)}`);
    use.release();
  }
  await rm(join(directory, keys[0], "used"));
  const use = await store.ensure(keys[0], { parts, build });
  assert.equal(use.built, false);
  assert.ok((await readdir(join(directory, keys[0]))).includes("used"));
  use.release();
});

test("a template that another process drops meanwhile fails nobody", async (t) => {
  const { store, directory, templates } = await newStore(t, 0, []);
  for (const key of keys) (await store.ensure(key, { parts, build })).release();
  // Asked between the measuring and the dropping.
  class Meanwhile extends Set<string> {
    override has(snapshot: string): boolean {
      if (snapshot.includes(keys[0])) rmSync(dirname(snapshot), { recursive: true });
      return false;
    }
  }
  await dropTemplates({
    directory,
    limitBytes: 0,
    inUse: async () => new Meanwhile(),
    logger: silentLogger,
  });
  assert.deepEqual(await templates(), []);
});

test("a key is never a path", async (t) => {
  const { store } = await newStore(t);
  await assert.rejects(store.ensure("../x", { parts, build }), TypeError);
});
