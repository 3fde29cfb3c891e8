import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cloudHypervisorMissing, prerequisite, testAssets, withLeakCheck } from "@virga/testkit";
import type { RootlessFindings } from "./rootless-life.ts";

const UID = 65_534;
const MIB = 1024 * 1024;

const skip =
  cloudHypervisorMissing() ||
  prerequisite("root", process.getuid?.() === 0 ? undefined : "this test becomes another user");

test(
  "an ordinary user runs VMs, clones and forks them, and is told what needs more",
  { skip },
  async (t) => {
    const { vmlinux, testInitramfs, launcher } = await testAssets();
    await withLeakCheck(t, async (place) => {
      const directory = join(place.scratch, "user");
      mkdirSync(directory);
      for (const [source, name] of [
        [vmlinux, "kernel"],
        [testInitramfs, "initramfs"],
        [launcher, "launcher"],
      ] as const) {
        copyFileSync(source, join(directory, name));
        chmodSync(join(directory, name), 0o755);
      }
      chownSync(directory, UID, UID);
      chmodSync(place.root, 0o755);
      // The lab's own: nobody else is on it.
      chmodSync("/dev/kvm", 0o666);
      const program = fileURLToPath(new URL("rootless-life.ts", import.meta.url));
      const args = ["--conditions=virga-source", program, directory];
      const { stdout } = await promisify(execFile)(process.execPath, args, {
        uid: UID,
        gid: UID,
        env: {
          PATH: process.env["PATH"],
          VIRGA_LAB: process.env["VIRGA_LAB"],
          HOME: directory,
          XDG_RUNTIME_DIR: directory,
        },
        // However slow the machine: the limit is the test's own.
        signal: t.signal,
        killSignal: "SIGKILL",
      });
      const found: RootlessFindings = JSON.parse(stdout);
      assert.equal(found.isolated, false);
      assert.equal(found.onDemand[0], "UNSUPPORTED", found.onDemand[1]);
      assert.match(found.onDemand[1], /userfaultfd/u);
      const { anonymous, copied, template, clone, changed, fork } = found.digests;
      assert.equal(copied, anonymous);
      assert.equal(clone, template);
      assert.notEqual(changed, template);
      assert.equal(fork, changed);
      assert.ok(found.forkBytes < 64 * MIB, `${found.forkBytes} bytes: only changes are written`);
    });
  },
);
