import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { identifyProcess } from "./launch/process-identity.ts";
import { readVm } from "./read-vm.ts";
import { recordPaused } from "./record.ts";

test("a VM's record and the list of processes tell its state", async (t) => {
  const root = await useTemporaryDirectory(t);
  const own = identifyProcess(process.pid);
  assert.ok(own);
  const build = { name: "qemu", version: "9.0.0", accelerator: "tcg" };
  const stateOf = async (id: string, fields: object): Promise<string | undefined> => {
    const directory = join(root, id);
    await mkdir(directory, { recursive: true });
    const whole = { format: 1, id, phase: "ready", config: {}, build, uuid: id, isolated: true };
    const record = { ...whole, state: "running", ...fields };
    await writeFile(join(directory, "vm.json"), JSON.stringify(record));
    return (await readVm(directory))?.state;
  };
  assert.equal(await readVm(join(root, "absent")), undefined);
  assert.equal(await stateOf("alive", { process: own }), "running");
  recordPaused(join(root, "alive"), true);
  assert.equal((await readVm(join(root, "alive")))?.state, "paused");
  assert.equal(await stateOf("dead", { process: { ...own, startTime: "1" } }), "ended");
  assert.equal(await stateOf("new", { phase: "creating" }), "creating");
  assert.equal(await stateOf("starting", { phase: "creating", process: own }), "creating");
  const half = { phase: "creating", process: { ...own, startTime: "1" } };
  assert.equal(await stateOf("half", half), "ended");
  const restore = { mode: "shared", reason: "because", directory: "/snapshot" };
  await stateOf("clone", { process: own, restore });
  assert.deepEqual(await readVm(join(root, "clone")), {
    id: "clone",
    state: "running",
    hypervisor: "qemu",
    hypervisorVersion: "9.0.0",
    accelerator: "tcg",
    process: own,
    restore,
  });
  await writeFile(join(root, "clone", "vm.json"), "{");
  await assert.rejects(readVm(join(root, "clone")), { code: "VM_NOT_OURS" });
});
