import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { rejectsWithCode, type CallRule } from "@virga/testkit";
import { assertNothing, testOnFakes } from "./with-fake.ts";

const deaths = [
  { signal: "SIGKILL", after: false, reason: "killed" },
  { signal: "SIGSEGV", after: true, reason: "vmm-crash" },
] as const;
for (const { signal, after, reason } of deaths) {
  const when = `${signal} ${after ? "after" : "before"} its effect`;
  const die: CallRule = { do: "die", signal, after };

  testOnFakes(`death in boot, by ${when}`, { calls: { boot: die } }, async (bench) => {
    const error = await rejectsWithCode(bench.boot("vm"), "HYPERVISOR_EXITED");
    assert.equal(error.details["step"], "boot");
    assertNothing(bench);
  });

  testOnFakes(`death in pause, by ${when}`, {}, async ({ boot, manager, fake }) => {
    await using vm = await boot("vm");
    fake.set({ calls: { pause: die } });
    const error = await rejectsWithCode(
      manager.pause("vm"),
      "HYPERVISOR_EXITED",
      new RegExp(reason),
    );
    assert.equal(error.details["reason"], reason);
    assert.equal(vm.state, "failed");
    assert.equal((await vm.exited).reason, reason);
    await rejectsWithCode(manager.resume("vm"), "INVALID_STATE", /failed/);
  });

  testOnFakes(`death in snapshot, by ${when}`, {}, async ({ boot, manager, fake, place }) => {
    await using vm = await boot("vm");
    await manager.pause("vm");
    fake.set({ calls: { snapshot: die } });
    const target = join(place.scratch, "snapshot");
    await rejectsWithCode(manager.snapshot("vm", target), "HYPERVISOR_EXITED");
    assert.equal(vm.state, "failed");
    assert.deepEqual(
      readdirSync(place.scratch).filter((name) => /snapshot/.test(name)),
      [],
    );
  });

  testOnFakes(`death in restore, by ${when}`, {}, async (bench) => {
    const { boot, manager, fake, place, config } = bench;
    const parent = await boot("parent");
    await manager.pause("parent");
    const snapshot = join(place.scratch, "snapshot");
    await manager.snapshot("parent", snapshot);
    await parent.destroy();
    fake.set({ calls: { restore: die } });
    const clone = manager.createFromSnapshot(config("clone"), snapshot);
    const error = await rejectsWithCode(clone, "HYPERVISOR_EXITED");
    assert.equal(error.details["step"], "restore");
    assertNothing(bench);
  });
}

testOnFakes(
  "a death while the guest is waited for ends the wait, not its deadline",
  { deafGuest: true },
  async ({ boot, fake }) => {
    await using vm = await boot("vm");
    if (fake.name === "qemu") return; // Its ports connect always.
    const waiting = vm.connectGuest({ timeoutMs: 3_600_000 });
    const refused = rejectsWithCode(
      waiting,
      "HYPERVISOR_EXITED",
      /connect to the guest of VM "vm"/,
    );
    process.kill(vm.pid, "SIGKILL");
    await refused;
  },
);
