import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  managerOn,
  qemuMissing,
  qemuSubject,
  rejectsWithCode,
  testInitProbe as guest,
  withLeakCheck,
} from "@virga/testkit";
import type { VmRecord } from "../src/record.ts";
import type { StepMessage } from "../src/steps.ts";

/**
 * Holds the VMM of VM "vm" when a step of an operation begins, so that it is dead before it has answered, and kills it some turns of the event loop later:
 * before it was asked, while, or after.
 */
function killIn(step: string, directory: string, turns: number): Disposable {
  const die = async (pid: number): Promise<void> => {
    for (let i = 0; i < turns; i++) await turn();
    process.kill(pid, "SIGKILL");
  };
  const onStep = (message: unknown): void => {
    const seen = message as StepMessage;
    if (seen.vm !== "vm" || seen.step !== step || seen.phase !== "start") return;
    const record = readFileSync(join(directory, "vm", "vm.json"), "utf8");
    const pid = (JSON.parse(record) as VmRecord).process?.pid ?? 0;
    assert.ok(pid > 1);
    process.kill(pid, "SIGSTOP");
    void die(pid);
  };
  subscribe("virga:vm:step", onStep);
  return { [Symbol.dispose]: () => void unsubscribe("virga:vm:step", onStep) };
}

describe("QEMU dies in the middle of an operation", { skip: qemuMissing() }, () => {
  test("each ends with one clear error, and leaves nothing", async (t) => {
    const turns = Number(process.env["VIRGA_SEED"] ?? randomInt(8)) % 8;
    t.diagnostic(`killed after ${turns} turns; VIRGA_SEED=${turns} repeats it`);
    await withLeakCheck(t, async (place) => {
      const { directory, scratch } = place;
      const manager = await managerOn(qemuSubject, place);
      const published = join(scratch, "published");
      const unpublished = join(scratch, "unpublished");

      const first = await manager.create(await qemuSubject.config(place, "vm"));
      await guest.ping(first);
      {
        using _ = killIn("pause", directory, turns);
        const error = await rejectsWithCode(manager.pause("vm"), "HYPERVISOR_EXITED");
        assert.match(error.message, /^Cannot pause VM "vm": .*\(killed\)$/u);
      }
      assert.equal(first.state, "failed");
      assert.equal((await first.exited).reason, "killed");
      await first.destroy();

      const second = await manager.create(await qemuSubject.config(place, "vm"));
      await guest.ping(second);
      await manager.pause("vm");
      await manager.snapshot("vm", published);
      {
        using _ = killIn("save", directory, turns);
        const taken = manager.snapshot("vm", unpublished);
        const error = await rejectsWithCode(taken, "HYPERVISOR_EXITED");
        assert.match(error.message, /^Cannot snapshot VM "vm": .*\(killed\)$/u);
      }
      assert.equal(second.state, "failed");
      assert.equal(existsSync(unpublished), false);
      const left = readdirSync(scratch).filter((name) => name.startsWith("."));
      assert.deepEqual(left, []);
      await second.destroy();

      {
        using _ = killIn("restore", directory, turns);
        const clone = manager.createFromSnapshot(await qemuSubject.config(place, "vm"), published);
        const error = await rejectsWithCode(clone, "HYPERVISOR_EXITED");
        assert.match(error.message, /^Cannot restore VM "vm": restore: /u);
      }
      assert.deepEqual(manager.list(), []);
      assert.equal(existsSync(join(directory, "vm")), false);
    });
  });
});
