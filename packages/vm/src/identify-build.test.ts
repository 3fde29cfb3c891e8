import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fakeHypervisor, useTemporaryDirectory } from "@virga/testkit";
import { cloudHypervisorDriver } from "./hypervisor/cloud-hypervisor/driver.ts";
import { qemuDriver } from "./hypervisor/qemu/driver.ts";
import { identifyBuild } from "./identify-build.ts";

const LONG = { timeoutMs: 20_000 };
const QUESTIONS = ["--version", "-object memory-backend-file,help"];

test("a binary is asked once, whoever uses it and how", async (t) => {
  const place = await useTemporaryDirectory(t);
  const fake = fakeHypervisor({ name: "qemu", directory: place, behaviour: { romOff: true } });
  const cache = join(place, "cache");
  const kvm = qemuDriver({ accelerator: "kvm" });
  const tcg = qemuDriver({ accelerator: "tcg" });
  const first = await identifyBuild(kvm, fake.binary, cache, LONG);
  assert.equal(first.accelerator, "kvm");
  assert.equal(first.mapsReadOnly, true);
  assert.deepEqual(fake.questions(), QUESTIONS);
  // The accelerator is the driver's: a verdict on KVM may change while the binary stays.
  const second = await identifyBuild(tcg, fake.binary, cache, LONG);
  assert.deepEqual(second, { ...first, accelerator: "tcg" });
  assert.deepEqual(await identifyBuild(kvm, fake.binary, cache, LONG), first);
  assert.deepEqual(fake.questions(), QUESTIONS);

  fake.set({ romOff: false });
  assert.equal((await identifyBuild(kvm, fake.binary, cache, LONG)).mapsReadOnly, false);
  assert.deepEqual(fake.questions(), [...QUESTIONS, ...QUESTIONS], "another file is asked anew");
});

test("an answer that lacks what is asked for today, or is damaged, is asked for anew", async (t) => {
  const place = await useTemporaryDirectory(t);
  const fake = fakeHypervisor({ name: "qemu", directory: place });
  const cache = join(place, "cache");
  const identify = () => identifyBuild(qemuDriver(), fake.binary, cache, LONG);
  const build = await identify();
  const [file = ""] = await readdir(cache);
  const kept = await readFile(join(cache, file), "utf8");
  const { mapsReadOnly: _, ...earlier } = build;
  for (const content of [
    JSON.stringify(earlier),
    JSON.stringify({ ...build, mapsReadOnly: "no" }),
    JSON.stringify({ ...build, numbers: [7, 2] }),
    JSON.stringify({ ...build, numbers: ["7", 2, 22] }),
    JSON.stringify({ ...build, binary: "/another" }),
    "null",
    kept.slice(0, -5),
    "",
  ]) {
    const before = fake.questions().length;
    await writeFile(join(cache, file), content);
    assert.deepEqual(await identify(), build, content);
    assert.equal(fake.questions().length, before + QUESTIONS.length, content);
    assert.equal(await readFile(join(cache, file), "utf8"), kept, content);
  }
});

test("Cloud Hypervisor is asked for its version alone", async (t) => {
  const place = await useTemporaryDirectory(t);
  const fake = fakeHypervisor({ name: "cloud-hypervisor", directory: place });
  const cache = join(place, "cache");
  const build = await identifyBuild(cloudHypervisorDriver, fake.binary, cache, LONG);
  assert.deepEqual([build.accelerator, build.mapsReadOnly], ["kvm", false]);
  assert.deepEqual(fake.questions(), ["--version"]);
});
