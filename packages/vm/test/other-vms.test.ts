import assert from "node:assert/strict";
import { join } from "node:path";
import { askFakeGuest, rejectsWithCode, type CallRule } from "@virga/testkit";
import { testOnFakes, untilCalled, type FakeBench } from "./with-fake.ts";

const HANG: CallRule = { do: "hang" };
/** Longer than a test may take: who waits for this does not end. */
const timeouts = { callMs: 3_600_000, longCallMs: 3_600_000, shutdownMs: 3_600_000 };

/** All that can be done with a VM, to its end. */
async function live({ manager, boot, place, config }: FakeBench, id: string): Promise<void> {
  await boot(id);
  await manager.pause(id);
  const snapshot = join(place.scratch, `snapshot-of-${id}`);
  await manager.snapshot(id, snapshot);
  await manager.resume(id);
  const clone = await manager.createFromSnapshot(config(`${id}-clone`), snapshot);
  assert.equal(await askFakeGuest(clone, "ping"), "pong");
  await manager.destroy(id);
  await clone.destroy();
}

testOnFakes("no operation waits for another VM's, whatever that hangs in", {}, async (bench) => {
  const { manager, fake, boot, place, config } = bench;
  await boot("source");
  await manager.pause("source");
  const source = join(place.scratch, "source");
  await manager.snapshot("source", source);

  const abort = new AbortController();
  const { signal } = abort;
  const hung: Promise<unknown>[] = [];
  const hang = async (rule: string, calls: string[], operation: () => Promise<unknown>) => {
    fake.set({ calls: { [rule]: HANG } });
    const begun = untilCalled(fake, calls);
    hung.push(rejectsWithCode(operation(), "ABORTED"));
    await begun;
    fake.set({});
  };
  for (const id of ["in-pause", "in-snapshot", "in-destroy"]) await boot(id, { timeouts });
  await manager.pause("in-snapshot");
  await hang("boot", ["cont", "vm.boot"], () =>
    manager.create(config("in-create", { timeouts }), { signal }),
  );
  await hang("restore", ["migrate-incoming", "vm.restore"], () =>
    manager.createFromSnapshot(config("in-restore", { timeouts }), source, { signal }),
  );
  await hang("pause", ["stop", "vm.pause"], () => manager.pause("in-pause", { signal }));
  await hang("snapshot", ["xen-save-devices-state", "vm.snapshot"], () =>
    manager.snapshot("in-snapshot", join(place.scratch, "never"), { signal }),
  );
  fake.set({ ignoreSigterm: true, calls: { quit: HANG } });
  const quits = untilCalled(fake, ["quit", "vmm.shutdown"]);
  const destroyed = manager.destroy("in-destroy", { signal });
  await quits;
  fake.set({});

  await Promise.all([live(bench, "one"), live(bench, "two")]);

  abort.abort(new Error("that is enough"));
  await Promise.all([...hung, destroyed]);
  // Theirs never answer: without the signal they would be waited for.
  for (const vm of manager.list()) await manager.destroy(vm.id, { signal });
});
