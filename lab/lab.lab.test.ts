import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { prerequisite } from "@virga/testkit";
import { runInLab } from "./lab.ts";
import type { KernelName } from "./kernel.ts";
import { missingForLab } from "./prerequisites.ts";

const skip = prerequisite("lab", missingForLab());

// Opening the device is not enough to know that it works: this asks for its version and creates a VM (KVM_CREATE_VM).
const kvm = `perl -e '
  open(my $kvm, "+<", "/dev/kvm") or die "kvm: $!";
  print "kvm ", ioctl($kvm, 0xAE00, 0), defined ioctl($kvm, 0xAE01, 0) ? " creates a VM" : " $!", "\n"'`;

async function lab(script: string, kernel: KernelName, writable: readonly string[] = []) {
  let stdout = "";
  let stderr = "";
  const end = await runInLab({
    argv: ["sh", "-c", script],
    kernel,
    writable,
    stdout: (chunk) => void (stdout += chunk.toString()),
    stderr: (chunk) => void (stderr += chunk.toString()),
  });
  return { end, stdout, stderr };
}

describe("the lab", { skip }, () => {
  test("is a machine with KVM, cgroup v2 and Landlock that reports exit code and both streams", async (t) => {
    const writable = mkdtempSync(join(tmpdir(), "virga-lab-test-"));
    t.after(() => rmSync(writable, { recursive: true }));
    const before = readdirSync("/");
    const { end, stdout, stderr } = await lab(
      `echo "to the host's root" > /.lab-probe && echo kept > ${writable}/kept
       uname -r; ${kvm} || exit 99
       cat /sys/fs/cgroup/cgroup.controllers; cat /sys/kernel/security/lsm; echo
       test -c /dev/userfaultfd && echo userfaultfd; test -c /dev/vhost-vsock && echo vsock
       ip tuntap add lab0 mode tap && echo tap
       echo again > /dev/stdout; node --version
       head -c 3000000 /dev/zero | tr '\\0' x; echo; echo warning >&2; exit 7`,
      "6.12",
      [writable],
    );
    assert.deepEqual(end, { kind: "exit", code: 7 }, stderr);
    assert.equal(stderr, "warning\n");
    const lines = stdout.split("\n");
    assert.match(lines[0] ?? "", /^6\.12\./);
    assert.equal(lines[1], "kvm 12 creates a VM");
    for (const controller of ["cpu", "memory", "pids", "io"]) {
      assert.ok(lines[2]?.split(" ").includes(controller), lines[2]);
    }
    assert.ok(lines[3]?.split(",").includes("landlock"), lines[3]);
    assert.deepEqual(lines.slice(4, 8), ["userfaultfd", "vsock", "tap", "again"]);
    assert.equal(lines[8], process.version);
    assert.equal(lines[9]?.length, 3_000_000);
    assert.equal(readFileSync(join(writable, "kept"), "utf8"), "kept\n");
    assert.deepEqual(readdirSync("/"), before, "nothing was written into the host's root");
  });

  test("runs the stock kernel, two at the same time", async () => {
    const runs = await Promise.all([
      lab(`uname -r; ${kvm}; exit 3`, "stock"),
      lab(`uname -r; test -f /sys/fs/cgroup/cgroup.procs`, "stock"),
    ]);
    const [first, second] = runs;
    assert.deepEqual(first.end, { kind: "exit", code: 3 }, first.stderr);
    assert.match(first.stdout, /^6\.1\.\S+\nkvm 12 creates a VM\n$/);
    assert.deepEqual(second.end, { kind: "exit", code: 0 }, second.stderr);
  });

  test("a machine that dies is told apart from a command that fails", async () => {
    const { end } = await lab("echo c > /proc/sysrq-trigger; sleep 60", "6.12");
    assert.equal(end.kind, "died");
    assert.match(end.kind === "died" ? end.consoleTail : "", /Kernel panic/);
  });

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGKILL", null],
  ] as const) {
    test(`the machine ends when its command line gets ${signal}`, async () => {
      const main = fileURLToPath(new URL("main.ts", import.meta.url));
      const child = spawn(process.execPath, [main, "--", "sh", "-c", "echo up; sleep 600"], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const stderr = text(child.stderr);
      const exited = once(child, "exit");
      child.stdout.once("data", () => {
        assert.equal(machinesOf(child.pid).length, 1);
        child.kill(signal);
      });
      assert.equal((await exited)[0], status, await stderr);
      // After SIGKILL it is the kernel that ends the machine, a moment later.
      while (machinesOf(child.pid).length > 0) await setTimeout(20);
    });
  }
});

function machinesOf(pid: number | undefined): string[] {
  return readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/u.test(entry)) return false;
    try {
      return readFileSync(`/proc/${entry}/cmdline`, "utf8").includes(`\0virga-lab-${pid}\0`);
    } catch {
      return false;
    }
  });
}
