import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { identifyProcess } from "./launch/process-identity.ts";
import { snapshotUsers, snapshotsInUse } from "./snapshots-in-use.ts";

test("the snapshots of living VMs are in use, those of dead ones are not", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-in-use-"));
  t.after(() => rm(directory, { recursive: true }));
  const own = identifyProcess(process.pid);
  assert.ok(own);
  const record = async (id: string, fields: object): Promise<void> => {
    await mkdir(join(directory, id));
    const whole = {
      format: 1,
      id,
      phase: "ready",
      config: {},
      build: {},
      uuid: id,
      isolated: true,
    };
    await writeFile(join(directory, id, "vm.json"), JSON.stringify({ ...whole, ...fields }));
  };
  await record("alive", { process: own, restore: { directory: "/alive" } });
  await record("dead", { process: { ...own, startTime: "1" }, restore: { directory: "/dead" } });
  await record("starting", { phase: "creating", restore: { directory: "/starting" } });
  await record("sibling", { process: own, restore: { directory: "/alive" } });
  await record("booted", { process: own });
  // Nobody here can tell whether these live.
  await record("later", { format: 99, restore: { directory: "/later" } });
  await record("odd", { format: 99, restore: { directory: 7 } });
  await mkdir(join(directory, "damaged"));
  await writeFile(join(directory, "damaged", "vm.json"), "{");
  assert.deepEqual([...(await snapshotsInUse(directory))].toSorted(), [
    "/alive",
    "/later",
    "/starting",
  ]);
  assert.deepEqual((await snapshotUsers(directory)).get("/alive"), ["alive", "sibling"]);
  assert.deepEqual([...(await snapshotsInUse(join(directory, "absent")))], []);
});
