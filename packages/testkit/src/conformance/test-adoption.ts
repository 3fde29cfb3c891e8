import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { withLeakCheck } from "../leaks/leak-check.ts";
import { bootVm, managerOn, type ConformanceSubject } from "./conformance-subject.ts";
import { rejectsWithCode } from "./reject-code.ts";

/** A VM outlives its manager: another one finds it, uses it, and sees what became of it. */
export function testAdoption(subject: ConformanceSubject): void {
  const { guest } = subject;

  test("another manager adopts a VM, and both see what the other does", async (t) => {
    await withLeakCheck(t, async (place) => {
      const first = await managerOn(subject, place);
      const second = await managerOn(subject, place);
      const vm = await bootVm(subject, place, first, "shared");
      const digest = await guest.remember(vm, 3);
      assert.deepEqual([...(await second.recover())], [["shared", "whole"]]);
      const adopted = second.get("shared");
      assert.ok(adopted !== undefined);
      assert.equal(adopted.state, "running");
      assert.equal(adopted.pid, vm.pid);
      assert.equal(await second.adopt(join(place.directory, "shared")), adopted);
      assert.equal(await guest.recall(adopted), digest);
      await second.pause("shared");
      await rejectsWithCode(first.pause("shared"), "INVALID_STATE", /paused/);
      await first.resume("shared");
      await second.pause("shared");
      await second.resume("shared");

      const config = await subject.config(place, "shared");
      await rejectsWithCode(second.create(config), "VM_EXISTS");
      const another = await managerOn(subject, place);
      await rejectsWithCode(another.create(config), "VM_EXISTS");

      const ended = adopted.exited;
      await second.destroy("shared");
      assert.equal((await ended).reason, "requested");
      await vm.exited;
      const again = await bootVm(subject, place, second, "shared");
      assert.equal(await first.recoverVm("shared"), "whole");
      assert.equal(first.get("shared")?.pid, again.pid, "the one in its place is found");
      await vm.destroy();
      await first.pause("shared");
      assert.equal(again.state, "running", "it has not been told");
      assert.equal(await again.refresh(), "paused");
      await first.destroy("shared");
      await again.exited;
      const third = await bootVm(subject, place, second, "shared");
      await third.destroy();
      assert.deepEqual([first.list(), second.list()], [[], []]);
    });
  });

  test("a VM whose hypervisor died is found as failed by another manager", async (t) => {
    await withLeakCheck(t, async (place) => {
      const first = await managerOn(subject, place);
      const vm = await bootVm(subject, place, first, "dead");
      const { exited } = vm;
      process.kill(vm.pid, "SIGKILL");
      await exited;
      const second = await managerOn(subject, place);
      assert.deepEqual([...(await second.recover())], [["dead", "ended"]]);
      assert.equal(second.get("dead")?.state, "failed");
      await rejectsWithCode(second.resume("dead"), "INVALID_STATE", /failed/);
      await second.destroy("dead");
      await first.destroy("dead");
      assert.deepEqual(await second.recover(), new Map());
    });
  });
}
