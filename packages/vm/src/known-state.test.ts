import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import test from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import type { VmmState } from "./hypervisor/port.ts";
import { KnownState } from "./known-state.ts";
import { silentLogger } from "./logger.ts";
import { recordPath } from "./directory.ts";
import { readRecord, recordPaused } from "./record.ts";
import type { VmRecord } from "./record.ts";

/** A VM that runs, as its record says, and a VMM that answers what the test puts there: a state, or an error. */
async function runningVm(t: TestContext) {
  const directory = await useTemporaryDirectory(t);
  const path = recordPath(directory);
  const write = (uuid: string): Promise<void> =>
    writeFile(
      path,
      JSON.stringify({
        format: 1,
        id: "a",
        phase: "ready",
        config: {},
        build: {},
        uuid,
        isolated: true,
        state: "running",
      }),
    );
  const recorded = async (): Promise<VmRecord> => {
    const record = await readRecord(path);
    assert.ok(record);
    return record;
  };
  await write("ours");
  const vmm = { says: "running" as VmmState | Error, asked: 0, isOver: false };
  const known = new KnownState({
    record: await recorded(),
    state: "running",
    directory,
    control: {
      info: async () => {
        vmm.asked += 1;
        if (vmm.says instanceof Error) throw vmm.says;
        return { state: vmm.says };
      },
    },
    logger: silentLogger,
    signal: new AbortController().signal,
    isOver: () => vmm.isOver,
  });
  return { known, vmm, directory, write, recorded };
}

test("what another process records is news once, and only of this VM", async (t) => {
  const { known, directory, write } = await runningVm(t);
  recordPaused(directory, true);
  await known.readNews();
  assert.equal(known.current, "paused");
  // Its VMM has said something newer than the record.
  known.told("running");
  await known.readNews();
  assert.equal(known.current, "running");
  recordPaused(directory, false);
  await known.readNews();
  await write("another's");
  recordPaused(directory, true);
  await known.readNews();
  assert.deepEqual([known.current, known.record.uuid], ["running", "ours"]);
});

test("a state that is settled is recorded, and no news to who settled it", async (t) => {
  const { known, recorded } = await runningVm(t);
  known.settle("paused");
  assert.deepEqual([known.current, (await recorded()).state], ["paused", "paused"]);
  known.told("running");
  await known.readNews();
  assert.equal(known.current, "running");
});

test("after a failed call the VMM is asked; where it does not tell, nobody knows until it does", async (t) => {
  const { known, vmm, recorded } = await runningVm(t);
  vmm.says = "paused";
  await known.findOut();
  assert.deepEqual([known.current, (await recorded()).state], ["paused", "paused"]);
  vmm.says = new Error("it does not answer");
  await known.findOut();
  assert.equal(known.current, "unknown");
  assert.equal(await known.ask(), false);
  vmm.says = "running";
  assert.equal(await known.ask(), true);
  assert.equal(known.current, "running");
  // There is a VMM, and no VM in it.
  vmm.says = "none";
  await known.findOut();
  assert.equal(known.current, "unknown");
});

test("nobody is asked about a VM that is over, and nothing that is said brings it back", async (t) => {
  const { known, vmm } = await runningVm(t);
  vmm.isOver = true;
  await known.findOut();
  assert.deepEqual([known.current, vmm.asked], ["running", 0]);
  known.set("failed");
  known.told("running");
  await known.readNews();
  assert.equal(known.current, "failed");
});
