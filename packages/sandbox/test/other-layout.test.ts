import assert from "node:assert/strict";
import { cp, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fakeConfig, fakeHypervisor, testProgram, withLeakCheck } from "@virga/testkit";
import { doctor, recoverHome } from "@virga/sandbox";
import type { Home } from "@virga/sandbox";
import {
  VmManager,
  identifyProcess,
  isVirgaError,
  qemuDriver,
  silentLogger,
  snapshotsInUse,
} from "@virga/vm";
import { findImage } from "../src/images/image.ts";
import { ImageStore } from "../src/images/image-store.ts";
import { ownVm } from "../src/owners/owner-record.ts";
import { TemplateStore } from "../src/templates/template-store.ts";
import type { TemplateParts } from "../src/templates/template-key.ts";
import { buildText, digestOf } from "./image-stores.ts";
import { testHome } from "./test-host.ts";

const KEY = "0".repeat(32);
const PARTS = {} as TemplateParts;

/** Changes a record as if another version had written it; gives what it was. */
async function rewrite(path: string, change: object): Promise<string> {
  const text = await readFile(path, "utf8");
  await writeFile(path, JSON.stringify({ ...(JSON.parse(text) as object), ...change }));
  return text;
}

async function recordsCheck(home: Home) {
  const probe = async () => ({ hypervisors: [], chosen: null, checks: [] });
  const { checks } = await doctor({ probe, context: { home } });
  return checks.find(({ name }) => name === "records");
}

// An older version's format is as unknown as a later one's: nothing is guessed.
for (const format of [0, 99]) {
  test(`a state directory of format ${format} is left alone with a clear word, and the rest works`, (t) =>
    withLeakCheck(t, async (place) => {
      const home = await testHome(place);
      const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
      const launcher = await testProgram("launcher");
      const newManager = () =>
        new VmManager({ directory: home.vms, launcher, drivers: [qemuDriver()] });
      const config = (id: string) => fakeConfig(place, id, fake);
      const first = newManager();
      assert.equal((await recordsCheck(home))?.ok, true);

      // A VM that runs, restored from a template, its owner dead; another one whose owner record is of the other version.
      const source = await first.create(config("source"));
      await first.pause("source");
      const templates = new TemplateStore({
        directory: home.templates,
        limitBytes: 0,
        inUse: () => snapshotsInUse(home.vms),
      });
      const build = async (path: string): Promise<void> =>
        void (await first.snapshot("source", path));
      const use = await templates.ensure(KEY, { parts: PARTS, build });
      const { snapshotDirectory } = use;
      use.release();
      await source.destroy();
      const clone = await first.createFromSnapshot(config("clone"), snapshotDirectory);
      const free = await first.create(config("free"));
      const owners = join(home.state, "owners");
      for (const id of ["clone", "free"]) {
        await ownVm(home, id, "sandbox");
        const path = join(owners, `${id}.json`);
        const { owner } = JSON.parse(await readFile(path, "utf8")) as { owner: object };
        await rewrite(path, { owner: { ...owner, startTime: "1" } });
      }
      const record = join(home.vms, "clone", "vm.json");
      const mine = await rewrite(record, { format });
      const ownerRecord = join(owners, "free.json");
      await rewrite(ownerRecord, { format });

      // Nobody removes what he cannot judge, and doctor names it.
      assert.deepEqual(await recoverHome(home, silentLogger), []);
      await templates.prune();
      assert.ok(identifyProcess(clone.pid) && identifyProcess(free.pid), "both live");
      assert.deepEqual((await readdir(owners)).toSorted(), ["clone.json", "free.json"]);
      assert.ok((await readdir(home.templates)).includes(KEY), "its template is in use");
      const told = await recordsCheck(home);
      assert.equal(told?.ok, false);
      for (const path of [join(home.vms, "clone"), ownerRecord])
        assert.ok(told.detail.includes(path), told.detail);

      const second = newManager();
      const outcomes = await second.recover();
      assert.deepEqual(
        [...outcomes],
        [
          ["clone", "foreign"],
          ["free", "whole"],
        ],
      );
      await assert.rejects(second.adopt(join(home.vms, "clone")), (error) => {
        assert.ok(isVirgaError(error));
        assert.equal(error.code, "VM_NOT_OURS");
        assert.match(
          error.message,
          new RegExp(`is of format ${format}, this version .* knows 1$`, "u"),
        );
        return true;
      });
      await assert.rejects(second.create(config("clone")), { code: "VM_NOT_OURS" });
      assert.match(await readFile(record, "utf8"), new RegExp(`"format":${format},`, "u"));
      assert.ok(identifyProcess(clone.pid), "its id is taken, and it lives");
      await using more = await second.create(config("more"));
      assert.equal((await more.info()).state, "running");

      // A snapshot is refused before anything starts; a template is made anew under its own name.
      const copy = join(place.scratch, "copy");
      await cp(snapshotDirectory, copy, { recursive: true });
      await rewrite(join(copy, "manifest.json"), { format });
      await assert.rejects(second.createFromSnapshot(config("refused"), copy), {
        code: "SNAPSHOT_INVALID",
        message: new RegExp(`its format is ${format}, this version knows 1`, "u"),
      });
      await writeFile(record, mine);
      assert.deepEqual(
        await recoverHome(home, silentLogger),
        ["clone"],
        "the version that wrote it",
      );
      await rewrite(join(home.templates, KEY, "template.json"), { format });
      assert.equal(await templates.find(KEY), undefined);
      const again = await templates.ensure(KEY, {
        parts: PARTS,
        build: async (path) => {
          await second.pause("more");
          await second.snapshot("more", path);
        },
      });
      assert.ok(again.built);
      again.release();

      await free.destroy();
    }));

  test(`an image of format ${format} is named as such, can be removed, and is made anew`, (t) =>
    withLeakCheck(t, async (place) => {
      const directory = join(place.scratch, "images");
      const store = new ImageStore({ directory });
      const digest = digestOf("tools");
      for (const name of ["tools", "kept"])
        await store.ensure(digest, { name, build: buildText("tools") });
      const other = digestOf("other");
      await store.ensure(other, { name: "other", build: buildText("other") });
      const record = join(directory, digest.slice("sha256:".length), "image.json");
      const before = await rewrite(record, { format });
      await assert.rejects(findImage("tools", directory), {
        code: "NOT_FOUND",
        message:
          'Image "tools" cannot be used: another version of Virga stored it, or it was damaged',
        hint: /Build or pull it again, or remove it: .*virga image rm tools$/u,
      });
      assert.equal((await findImage("other", directory)).digest, other, "the others work");
      await writeFile(record, before);
      assert.equal((await findImage("tools", directory)).digest, digest, "nothing was lost");
      await rewrite(record, { format });
      assert.deepEqual((await store.remove("kept")).names, ["kept"]);
      const { built } = await store.ensure(digest, { name: "tools", build: buildText("tools") });
      assert.ok(built);
      await rewrite(record, { format });
      assert.deepEqual(await store.remove("tools"), { digest, names: ["tools"], removed: true });
      assert.equal((await store.list()).length, 1);
    }));
}
