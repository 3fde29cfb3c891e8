import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withLeakCheck } from "../leaks/leak-check.ts";
import { patientMs } from "../patience.ts";
import { bootVm, managerOn, type ConformanceSubject } from "./conformance-subject.ts";
import { countsOn } from "./counts-on.ts";
import { rejectsWithCode } from "./reject-code.ts";

/** One VM from create to destroy, with every operation in every state. */
export function testLife(subject: ConformanceSubject): void {
  const { guest } = subject;

  test("a VM is created, paused, resumed, ballooned and destroyed", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(subject, place);
      const vm = await bootVm(subject, place, manager, "life");
      assert.equal(vm.state, "running");
      assert.equal(manager.get("life"), vm);
      assert.deepEqual(manager.list(), [vm]);
      const info = await vm.info();
      assert.equal(info.state, "running");
      assert.equal(info.source, "hypervisor");
      assert.equal(info.pid, vm.pid);
      assert.equal(info.hypervisor, subject.hypervisor);
      process.kill(vm.pid, 0);
      const before = await guest.counter(vm);

      await rejectsWithCode(manager.resume("life"), "INVALID_STATE", /state is running/);
      const early = join(place.scratch, "early");
      await rejectsWithCode(manager.snapshot("life", early), "INVALID_STATE", /state is running/);
      assert.equal(existsSync(early), false);
      await rejectsWithCode(manager.create(await subject.config(place, "life")), "VM_EXISTS");

      await manager.pause("life");
      assert.equal(vm.state, "paused");
      assert.equal((await vm.info()).state, "paused");
      await rejectsWithCode(manager.pause("life"), "INVALID_STATE", /state is paused/);
      await rejectsWithCode(
        manager.updateBalloon("life", 0),
        subject.hasBalloon ? "INVALID_STATE" : "UNSUPPORTED",
      );
      await rejectsWithCode(vm.connectGuest({ timeoutMs: 1000 }), "INVALID_STATE", /paused/);
      await manager.resume("life");
      assert.equal(vm.state, "running");
      await countsOn(guest, vm, before);

      await testBalloon(subject, manager, vm);
      await manager.destroy("life");
      assert.equal(vm.state, "stopped");
      assert.equal((await vm.exited).reason, "requested");
      assert.throws(() => process.kill(vm.pid, 0), /ESRCH/);
      assert.equal(manager.get("life"), undefined);
      assert.deepEqual(manager.list(), []);
      await rejectsWithCode(manager.destroy("life"), "VM_NOT_FOUND", /^VM not found: life$/);
      await vm.destroy();
      await rejectsWithCode(vm.info(), "INVALID_STATE", /stopped/);
    });
  });

  test("operations on an unknown VM are VM_NOT_FOUND", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(subject, place);
      const target = join(place.scratch, "snapshot");
      const calls = [
        manager.pause("nobody"),
        manager.resume("nobody"),
        manager.updateBalloon("nobody", 1),
        manager.snapshot("nobody", target),
        manager.destroy("nobody"),
      ];
      for (const call of calls)
        await rejectsWithCode(call, "VM_NOT_FOUND", /^VM not found: nobody$/);
      mkdirSync(join(place.scratch, "empty"));
      await rejectsWithCode(manager.adopt(join(place.scratch, "empty")), "VM_NOT_FOUND");
      assert.equal(existsSync(target), false);
    });
  });

  test("concurrent destroys share one outcome, and a scoped VM ends with its scope", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(subject, place);
      let pid = 0;
      {
        await using vm = await bootVm(subject, place, manager, "scoped");
        pid = vm.pid;
        await Promise.all([manager.destroy("scoped"), vm.destroy(), manager.destroy("scoped")]);
        assert.equal(vm.state, "stopped");
      }
      assert.throws(() => process.kill(pid, 0), /ESRCH/);
      // The id is free again.
      const config = await subject.config(place, "scoped");
      await using again = await manager.create(config);
      assert.equal(again.state, "running");
    });
  });
}

async function testBalloon(
  subject: ConformanceSubject,
  manager: Awaited<ReturnType<typeof managerOn>>,
  vm: Awaited<ReturnType<typeof bootVm>>,
): Promise<void> {
  if (!subject.hasBalloon) {
    await rejectsWithCode(manager.updateBalloon(vm.id, 16), "UNSUPPORTED", /balloon/);
    return;
  }
  const total = vm.config.memoryMib;
  for (const wrong of [-1, 0.5, Number.NaN, total, total + 1, 2 ** 53]) {
    await rejectsWithCode(manager.updateBalloon(vm.id, wrong), "INVALID_ARGUMENT");
  }
  await manager.updateBalloon(vm.id, 16);
  // The guest gives memory in its own time: what is asked for is reached, not answered.
  const deadline = performance.now() + patientMs(20_000);
  const actual = async () => ((await vm.info()).memoryActualBytes ?? 0) / 2 ** 20;
  while ((await actual()) > total - 16)
    assert.ok(performance.now() < deadline, "the balloon never filled");
  await manager.updateBalloon(vm.id, 0);
  while ((await actual()) < total)
    assert.ok(performance.now() < deadline, "the balloon never gave back");
  await subject.guest.ping(vm);
}
