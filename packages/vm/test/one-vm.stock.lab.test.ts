import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  managerOn,
  qemuKvmMissing,
  qemuKvmSubject,
  testInitProbe as guest,
  withLeakCheck,
} from "@virga/testkit";

/** A line of `/proc/PID/status`. */
function statusOf(pid: number, name: string): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return new RegExp(`^${name}:\\s*(.*)$`, "mu").exec(status)?.[1];
}

async function hashOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

/** What a kernel may be too old for, and what nobody would notice: a VM runs without it just as well. */
function checkLaunch(pid: number, directory: string): void {
  for (const name of ["mnt", "net"]) {
    const [own, ours] = [pid, "self"].map((who) => readlinkSync(`/proc/${who}/ns/${name}`));
    assert.notEqual(own, ours, `a ${name} namespace of its own`);
  }
  const network = readFileSync(`/proc/${pid}/net/dev`, "utf8").trim().split("\n").slice(2);
  assert.deepEqual(
    network.map((line) => line.trim().split(":")[0]),
    ["lo"],
    "no way out",
  );
  // What is mounted there is not mounted here, or the fixed path would be that of every VM.
  const fixed = / \/run\/virga\/vm /u;
  assert.match(readFileSync(`/proc/${pid}/mountinfo`, "utf8"), fixed);
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), fixed);
  const propagation = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  assert.doesNotMatch(propagation, / shared:\d+ /u, "mounts go nowhere");

  assert.equal(statusOf(pid, "Seccomp"), "2", "QEMU's own filter is on");
  const session = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3];
  assert.equal(session, String(pid), "a session of its own");
  assert.equal(Number(readFileSync(join(directory, "run", "pid"), "utf8")), pid);
}

const skip =
  process.env["VIRGA_LAB_KERNEL"] === "stock"
    ? qemuKvmMissing()
    : "the conformance suite runs on this kernel";

describe("on the stock kernel", { skip }, () => {
  test("a VM lives on QEMU with KVM, and its launch has lost nothing to an older kernel", async (t) => {
    await withLeakCheck(t, async (place) => {
      const manager = await managerOn(qemuKvmSubject, place);
      assert.deepEqual((await manager.isolation()).isolated, true);
      const vm = await manager.create(await qemuKvmSubject.config(place, "parent"));
      await guest.ping(vm);
      assert.equal((await vm.info()).accelerator, "kvm");
      checkLaunch(vm.pid, vm.config.vmDirectory);
      const remembered = await guest.remember(vm, 3);

      const snapshot = join(place.scratch, "snapshot");
      await manager.pause("parent");
      const { memory } = await manager.snapshot("parent", snapshot);
      await manager.destroy("parent");
      const before = await hashOf(join(snapshot, memory.file));
      const config = await qemuKvmSubject.config(place, "clone");
      const clone = await manager.createFromSnapshot(
        { ...config, restoreMode: "shared" },
        snapshot,
      );
      assert.equal(await guest.recall(clone), remembered);
      await guest.remember(clone, 4);
      checkLaunch(clone.pid, clone.config.vmDirectory);
      await clone.destroy();
      assert.equal(await hashOf(join(snapshot, memory.file)), before, "the template is as it was");
    });
  });
});
