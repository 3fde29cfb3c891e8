import assert from "node:assert/strict";
import { readFile, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { homePaths, openHome } from "../home.ts";
import { deadOwners, forgetOwner, ownVm } from "./owner-record.ts";
import type { OwnerRecord } from "./owner-record.ts";

async function testHome(directory: string) {
  return openHome(homePaths({ env: { VIRGA_HOME: directory }, uid: 0, userHome: "/" }));
}

test("a VM of a living process has no dead owner; one of a dead process has", async (t) => {
  const home = await testHome(await useTemporaryDirectory(t));
  assert.deepEqual(await deadOwners(home), []);
  const ownership = await ownVm(home, "alive", "sandbox");
  assert.deepEqual(await deadOwners(home), []);
  const owners = join(home.state, "owners");
  const alive: OwnerRecord = JSON.parse(await readFile(join(owners, "alive.json"), "utf8"));
  const write = (id: string, change: Partial<OwnerRecord["owner"]>): Promise<void> =>
    writeFile(
      join(owners, `${id}.json`),
      JSON.stringify({ ...alive, id, owner: { ...alive.owner, ...change } }),
    );
  await write("gone", { startTime: "1" });
  await write("rebooted", { bootId: "another" });
  // The same number may well be alive there.
  await write("elsewhere", { startTime: "1", pidNamespace: "pid:[1]" });
  await writeFile(join(owners, "damaged.json"), "{");
  await writeFile(join(owners, "misnamed.json"), JSON.stringify({ ...alive, id: "../x" }));
  const dead = (await deadOwners(home)).map(({ id }) => id);
  assert.deepEqual(dead.toSorted(), ["gone", "rebooted"]);
  await forgetOwner(home, "gone");
  await ownership.release();
  await ownership.release();
  assert.deepEqual((await readdir(owners)).toSorted(), [
    "damaged.json",
    "elsewhere.json",
    "misnamed.json",
    "rebooted.json",
  ]);
});

test("what a process died over while it wrote a record is removed", async (t) => {
  const home = await testHome(await useTemporaryDirectory(t));
  await ownVm(home, "alive", "sandbox");
  const owners = join(home.state, "owners");
  const alive: OwnerRecord = JSON.parse(await readFile(join(owners, "alive.json"), "utf8"));
  const owner = { ...alive.owner, startTime: "1" };
  await writeFile(join(owners, "gone.json.new"), JSON.stringify({ ...alive, id: "gone", owner }));
  await writeFile(join(owners, "writing.json.new"), JSON.stringify({ ...alive, id: "writing" }));
  await writeFile(join(owners, "begun.json.new"), "");
  await writeFile(join(owners, "old.json.new"), "");
  await utimes(join(owners, "old.json.new"), 0, 0);
  assert.deepEqual(await deadOwners(home), []);
  assert.deepEqual((await readdir(owners)).toSorted(), [
    "alive.json",
    "begun.json.new",
    "writing.json.new",
  ]);
});
