import assert from "node:assert/strict";
import { test } from "node:test";
import { withLeakCheck } from "../leaks/leak-check.ts";
import { bootVm, managerOn, type ConformanceSubject } from "./conformance-subject.ts";
import { rejectsWithCode } from "./reject-code.ts";

/** VMs that end by themselves: noticed, with the reason, and still listed until they are destroyed. */
export function testEnds(subject: ConformanceSubject): void {
  const ends = [
    { how: "poweroff", reason: "guest-poweroff" },
    { how: "reboot", reason: "guest-reboot" },
    { how: "panic", reason: "guest-panic" },
    { how: "kill", reason: "killed" },
  ] as const;

  for (const { how, reason } of ends) {
    test(`an end by ${how} is noticed as ${reason}`, async (t) => {
      await withLeakCheck(t, async (place) => {
        const manager = await managerOn(subject, place);
        const vm = await bootVm(subject, place, manager, "ends");
        const { exited } = vm;
        if (how === "kill") process.kill(vm.pid, "SIGKILL");
        else await subject.guest.end(vm, how);
        assert.equal((await exited).reason, reason);
        assert.equal(vm.state, "failed");
        assert.deepEqual(manager.list(), [vm]);
        const info = await vm.info();
        assert.equal(info.source, "record");
        assert.equal(info.exit?.reason, reason);
        await rejectsWithCode(manager.pause("ends"), "INVALID_STATE", /failed/);
        await rejectsWithCode(vm.connectGuest({ timeoutMs: 1000 }), "INVALID_STATE", /failed/);
        await manager.destroy("ends");
        assert.deepEqual(manager.list(), []);
      });
    });
  }
}
