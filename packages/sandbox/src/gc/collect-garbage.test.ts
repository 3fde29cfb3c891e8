import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { identifyProcess, tryLock } from "@virga/vm";
import { buildText, digestOf } from "../../test/image-stores.ts";
import { makeSnapshot } from "../../test/make-snapshot.ts";
import { idOf, sandboxRow, snapshotRow, testSpec } from "../../test/test-rows.ts";
import { recordVm, testState } from "../../test/test-vms.ts";
import type { Home } from "../home.ts";
import { imagePaths } from "../images/image-paths.ts";
import { ImageStore } from "../images/image-store.ts";
import { ownVm } from "../owners/owner-record.ts";
import { upperPath } from "../sandbox-disks.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { writeHashes } from "../snapshots/snapshot-hashes.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { templatePaths } from "../templates/template-paths.ts";
import { collectGarbage } from "./collect-garbage.ts";
import type { GarbageReport } from "./collect-garbage.ts";

/** What was found, as lines that can be compared. */
function linesOf({ items }: GarbageReport): string[] {
  return items
    .map(({ kind, id, reason, removed }) => `${kind} ${id} ${removed}: ${reason}`)
    .toSorted();
}

async function addDisk(home: Home, word: string): Promise<void> {
  await writeFile(upperPath(home, idOf(word)), Buffer.alloc(50_000, 1));
}

async function addTemplate(
  home: Home,
  digit: string,
  parts: { readonly image: string; readonly kernel: string },
): Promise<string> {
  const key = digit.repeat(32);
  const paths = templatePaths(home.templates, key);
  await makeSnapshot(paths.snapshot);
  await writeHashes(paths.snapshot, undefined);
  await writeFile(paths.description, JSON.stringify({ format: 1, key, parts }));
  return key;
}

test("what nothing needs is told, then removed; the rest stays", async (t) => {
  const { home, catalog } = await testState(t);
  // Sandboxes: one that is known, two of which there are files alone, one that is a template's.
  for (const word of ["known", "lost", "template's", "damaged"]) await addDisk(home, word);
  await mkdir(sandboxPaths(home, idOf("lost")).directory);
  await mkdir(sandboxPaths(home, idOf("lost too")).directory);
  await mkdir(sandboxPaths(home, idOf("asleep")).suspended(1), { recursive: true });
  await ownVm(home, idOf("template's"), "template");
  catalog.sandboxes.insert(sandboxRow("known"));
  catalog.sandboxes.insert(sandboxRow("damaged"));
  const database = new DatabaseSync(home.catalog);
  database.prepare("UPDATE sandbox SET spec = '?' WHERE id = ?").run(idOf("damaged"));
  database.close();
  await writeFile(join(home.disks, "somebody-elses.ext4"), "");
  // Snapshots: a named one, one of a fork that is mapped and one whose clone was suspended, one without a row.
  for (const [word, kind] of [
    ["named", "snapshot"],
    ["mapped", "fork"],
    ["unmapped", "fork"],
  ] as const) {
    catalog.snapshots.insert(snapshotRow(word, { kind }));
    await mkdir(snapshotPaths(home, idOf(word)).memory, { recursive: true });
  }
  await mkdir(snapshotPaths(home, idOf("stray")).memory, { recursive: true });
  for (const word of ["mapped", "unmapped"]) {
    const phase = word === "mapped" ? "live" : "suspended";
    catalog.sandboxes.insert(sandboxRow(`of ${word}`, { snapshot: idOf(word), phase }));
  }
  await recordVm(home, idOf("of mapped"), snapshotPaths(home, idOf("mapped")).memory);
  // Images: a named one, one without a name, one that a sandbox needs, and a pull that was cut off.
  const store = new ImageStore({ directory: home.images });
  for (const word of ["named", "nameless", "needed"]) {
    const name = word === "named" ? word : "moved";
    await store.ensure(digestOf(word), { name, build: buildText(word) });
  }
  await store.ensure(digestOf("last"), { name: "moved", build: buildText("last") });
  const spec = { ...testSpec, imageDigest: digestOf("needed") };
  catalog.sandboxes.insert(sandboxRow("of image", { phase: "suspended", spec }));
  const pulling = digestOf("pulling");
  const busy = digestOf("busy");
  for (const digest of [pulling, busy])
    await mkdir(imagePaths(home.images, digest, "pulling").directory);
  const puller = tryLock(imagePaths(home.images, busy).lock);
  assert.ok(puller);
  t.after(() => puller.release());
  // Templates: good ones, one of each that is stale, one half made.
  await mkdir(join(home.kernel, "kernel"));
  const identity = (word: string): string => `${digestOf(word)} ${digestOf(word).slice(7)}`;
  const good = await addTemplate(home, "a", { image: "busybox", kernel: "kernel" });
  const other = await addTemplate(home, "b", { image: identity("named"), kernel: "kernel" });
  const imageless = await addTemplate(home, "c", { image: identity("nameless"), kernel: "kernel" });
  const kernelless = await addTemplate(home, "d", { image: "busybox", kernel: "gone" });
  const used = await addTemplate(home, "e", { image: "busybox", kernel: "gone" });
  await recordVm(home, idOf("known"), templatePaths(home.templates, used).snapshot);
  await mkdir(templatePaths(home.templates, "f".repeat(32), "building").directory);

  const orphan = "the catalogue knows nothing of it: removed only with orphans";
  const reasons: readonly (readonly [string, string])[] = [
    [`image ${pulling}`, "what an interrupted process left of it"],
    [`sandbox ${idOf("lost")}`, orphan],
    [`sandbox ${idOf("lost too")}`, "the catalogue knows nothing of it"],
    [`snapshot ${idOf("stray")}`, orphan],
    [`sandbox ${idOf("asleep")}`, orphan],
    [`snapshot ${idOf("unmapped")}`, "no clone of the fork needs it any more"],
    [`template ${kernelless}`, "its kernel is gone"],
    [`template ${"f".repeat(32)}`, "what an interrupted process left of it"],
  ];
  const ofNobody = `image ${digestOf("nameless")}`;
  const imageGone = [`template ${imageless}`, "its image is gone"] as const;
  const expected = (removed: boolean, list: typeof reasons): string[] =>
    list.map(([what, reason]) => `${what} ${removed}: ${reason}`).toSorted();
  const files = async (): Promise<string[]> => {
    const names = await readdir(home.state, { recursive: true });
    return names.filter((name) => !/\.lock$|^catalog/u.test(name)).toSorted();
  };
  const before = await files();
  const dry = await collectGarbage({ home, dryRun: true });
  assert.deepEqual(linesOf(dry), expected(false, reasons));
  assert.deepEqual(await files(), before);
  assert.ok((dry.items.find(({ id }) => id === idOf("lost"))?.bytes ?? 0) >= 50_000);
  const problem = 'its row cannot be read: spec is no JSON: it is "?"';
  assert.deepEqual(dry.damaged, [{ kind: "sandbox", id: idOf("damaged"), problem }]);

  const orphans = reasons.filter(([, reason]) => reason === orphan);
  const others = reasons.filter(([, reason]) => reason !== orphan);
  assert.deepEqual(
    linesOf(await collectGarbage({ home })),
    [...expected(true, others), ...expected(false, orphans)].toSorted(),
  );
  assert.deepEqual(linesOf(await collectGarbage({ home })), expected(false, orphans));
  assert.ok(existsSync(upperPath(home, idOf("lost"))));
  assert.ok(existsSync(sandboxPaths(home, idOf("asleep")).suspended(1)));
  assert.ok(existsSync(snapshotPaths(home, idOf("stray")).memory));
  // What the catalogue does not know may be of any image.
  assert.ok(await store.find(digestOf("nameless")));
  const spare = [ofNobody, "it has no name, and there is no sandbox or snapshot of it"] as const;
  assert.deepEqual(
    linesOf(await collectGarbage({ home, orphans: true })),
    expected(true, [...orphans, spare, imageGone]),
  );
  assert.deepEqual((await collectGarbage({ home })).items, []);
  assert.deepEqual(
    (await readdir(home.disks)).toSorted(),
    ["damaged", "known", "template's"]
      .map((word) => `${idOf(word)}.ext4`)
      .concat("somebody-elses.ext4")
      .toSorted(),
  );
  assert.deepEqual(
    (await readdir(home.snapshots)).toSorted(),
    [idOf("mapped"), idOf("named")].toSorted(),
  );
  const templates = (await readdir(home.templates)).filter((name) => !name.endsWith(".lock"));
  assert.deepEqual(templates.toSorted(), [good, other, used]);
  for (const word of ["named", "needed", "last"]) assert.ok(await store.find(digestOf(word)), word);
});

test("a VM that runs is left alone when the catalogue knows nothing of it", async (t) => {
  const { home } = await testState(t);
  await recordVm(home, idOf("running"), "/snapshot");
  const line = `sandbox ${idOf("running")} false: the catalogue knows nothing of it: removed only with orphans`;
  assert.deepEqual(linesOf(await collectGarbage({ home })), [line]);
  assert.ok(existsSync(join(home.vms, idOf("running"), "vm.json")));
});

test("a sandbox that died with its process is told, and goes", async (t) => {
  const { home, catalog } = await testState(t);
  const own = identifyProcess(process.pid);
  assert.ok(own);
  catalog.sandboxes.insert(sandboxRow("alive", { owner: own }));
  await ownVm(home, idOf("dead"), "sandbox");
  const record = join(home.state, "owners", `${idOf("dead")}.json`);
  const owner = { ...own, startTime: "1" };
  await writeFile(
    record,
    JSON.stringify({ format: 1, id: idOf("dead"), purpose: "sandbox", owner }),
  );
  await addDisk(home, "dead");
  const line = `sandbox ${idOf("dead")} false: the process it was to die with has died`;
  assert.deepEqual(linesOf(await collectGarbage({ home, dryRun: true })), [line]);
  assert.ok(existsSync(record));
  assert.deepEqual(linesOf(await collectGarbage({ home })), [line.replace("false", "true")]);
  assert.deepEqual(await readdir(home.disks), []);
  assert.ok(catalog.sandboxes.get(idOf("alive")));
});

test("a removal that was cut off is told and finished, and what a dead operation left is settled", async (t) => {
  const { home, catalog } = await testState(t);
  catalog.sandboxes.insert(sandboxRow("half", { phase: "destroying" }));
  await addDisk(home, "half");
  catalog.sandboxes.insert(sandboxRow("busy", { phase: "destroying" }));
  const intent = { kind: "pause" } as const;
  catalog.sandboxes.insert(sandboxRow("cut", { intent }));
  for (const word of ["busy", "cut"]) {
    await mkdir(sandboxPaths(home, idOf(word)).directory);
    await writeFile(sandboxPaths(home, idOf(word)).lock, "");
  }
  const held = tryLock(sandboxPaths(home, idOf("busy")).lock);
  assert.ok(held);
  t.after(() => held.release());
  const line = `sandbox ${idOf("half")} false: its removal was not finished`;
  assert.deepEqual(linesOf(await collectGarbage({ home, dryRun: true })), [line]);
  assert.deepEqual(catalog.sandboxes.get(idOf("cut"))?.intent, intent);
  assert.deepEqual(linesOf(await collectGarbage({ home })), [line.replace("false", "true")]);
  assert.deepEqual(await readdir(home.disks), []);
  assert.equal(catalog.sandboxes.get(idOf("cut"))?.intent, null);
  assert.ok(catalog.sandboxes.get(idOf("busy")), "somebody is removing it");
});

test("verified is whether images, templates, snapshots and suspended sandboxes are what they were", async (t) => {
  const { home, catalog } = await testState(t);
  const store = new ImageStore({ directory: home.images });
  await store.ensure(digestOf("x"), { name: "x", build: buildText("x") });
  await mkdir(join(home.kernel, "kernel"));
  const template = await addTemplate(home, "a", { image: "busybox", kernel: "kernel" });
  catalog.snapshots.insert(snapshotRow("one"));
  const snapshot = snapshotPaths(home, idOf("one"));
  await makeSnapshot(snapshot.memory);
  await writeHashes(snapshot.memory, undefined);
  catalog.sandboxes.insert(sandboxRow("asleep", { phase: "suspended", suspended: 2 }));
  const asleep = sandboxPaths(home, idOf("asleep")).suspended(2);
  await makeSnapshot(asleep);
  assert.deepEqual(await collectGarbage({ home, verify: true }), { items: [], damaged: [] });

  await writeFile(imagePaths(home.images, digestOf("x")).base, "y");
  await writeFile(join(asleep, "manifest.json"), "{");
  for (const path of [
    join(templatePaths(home.templates, template).snapshot, "memory"),
    join(snapshot.memory, "memory"),
  ]) {
    const file = await open(path, "r+");
    await file.write("!", 12_345);
    await file.close();
  }
  const { items, damaged } = await collectGarbage({ home, verify: true });
  assert.deepEqual(items, [], "nothing is removed for being damaged");
  assert.deepEqual(
    damaged.map(({ kind, id }) => [kind, id]),
    [
      ["image", digestOf("x")],
      ["template", template],
      ["snapshot", idOf("one")],
      ["sandbox", idOf("asleep")],
    ],
  );
  assert.deepEqual((await collectGarbage({ home })).damaged, []);
  const signal = AbortSignal.abort();
  await assert.rejects(collectGarbage({ home, verify: true, signal }), { code: "ABORTED" });
});
