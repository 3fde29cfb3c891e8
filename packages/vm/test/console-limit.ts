import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync, statSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { managerOn, withLeakCheck, type ConformanceSubject } from "@virga/testkit";
import { OUTPUT_BYTES } from "../src/output-file.ts";
import { readTail } from "../src/read-tail.ts";
import type { VmRecord } from "../src/record.ts";
import type { StepMessage } from "../src/steps.ts";

const DISK_BYTES = 10 * 2 ** 30;
const HOLE_BYTES = DISK_BYTES - OUTPUT_BYTES;

/** What the console gets in place of its 16 MiB: a kernel's first words fill it. */
const ROOM_BYTES = 1024;

/** Tests, on a real guest, that the console of a VM with a large disk is as limited as any other, and that the limit holds nothing up. */
export function testConsoleLimit(subject: ConformanceSubject): void {
  test("a console ends at its limit beside a large disk, and that holds nothing up", async (t) => {
    await withLeakCheck(t, async (place) => {
      const { guest } = subject;
      const manager = await managerOn(subject, place);
      const run = join(place.directory, "one", "run");
      let limits = "";
      const onStep = (message: unknown): void => {
        const { step, phase } = message as StepMessage;
        if (step !== "boot" || phase !== "start") return;
        const record = readFileSync(join(run, "..", "vm.json"), "utf8");
        const pid = (JSON.parse(record) as VmRecord).process?.pid;
        limits = readFileSync(`/proc/${pid}/limits`, "utf8");
        for (const name of ["console.log", "vmm.log"])
          assert.ok(statSync(join(run, name)).size >= HOLE_BYTES, name);
        // So that a kernel's boot is enough to fill what is left.
        const fsize = HOLE_BYTES + ROOM_BYTES;
        execFileSync("prlimit", ["--pid", String(pid), `--fsize=${fsize}`]);
      };
      const config = { ...(await subject.config(place, "one")), kernelArguments: [] };
      await truncate(config.rootfs?.path ?? "", DISK_BYTES);
      subscribe("virga:vm:step", onStep);
      await using vm = await manager
        .create(config)
        .finally(() => unsubscribe("virga:vm:step", onStep));
      assert.match(limits, new RegExp(`^Max file size +${DISK_BYTES} +${DISK_BYTES} `, "mu"));
      await guest.ping(vm);
      const { size, blocks } = statSync(join(run, "console.log"));
      assert.equal(size, HOLE_BYTES + ROOM_BYTES);
      assert.ok(blocks * 512 <= 64 * ROOM_BYTES, `${blocks} blocks`);
      const { bytes } = await readTail(join(run, "console.log"), 2 * ROOM_BYTES);
      assert.equal(bytes.length, ROOM_BYTES);
      assert.match(bytes.toString("latin1"), /\[ +\d+\.\d+\] /u);
      await manager.pause("one");
      await manager.resume("one");
      await guest.ping(vm);
      // What has no limit of its own does not suffer from it.
      await guest.writeDisk(vm, "written");
      assert.equal(await guest.readDisk(vm), "written");
    });
  });
}
