import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { mountsMissing, usePathPrograms, useTemporaryDirectory } from "@virga/testkit";
import { virgaCommand } from "@virga/vm";
import { homePaths } from "../home.ts";
import type { CheckDefinition, DoctorContext } from "./check.ts";
import { doctor } from "./doctor.ts";
import { hostChecks } from "./host-checks.ts";
import { kvmChecks } from "./kvm-checks.ts";
import { leftoverChecks } from "./leftover-checks.ts";
import { reflinkCheck } from "./reflink-check.ts";
import { setupChecks } from "./setup-checks.ts";

const everyCheck = [...setupChecks, ...leftoverChecks, ...hostChecks, reflinkCheck, ...kvmChecks];

const usable = {
  name: "qemu",
  version: "9",
  accelerator: "kvm",
  usable: true,
  reason: "it ran a guest",
};
const probe = async () => ({ hypervisors: [usable], chosen: "qemu", checks: [] });
const noProbe = async () => ({ hypervisors: [], chosen: null, checks: [] });

async function useMachine(
  t: TestContext,
  files: Record<string, string> = {},
): Promise<DoctorContext> {
  const directory = await useTemporaryDirectory(t);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  return {
    home: homePaths({ env: { VIRGA_HOME: join(directory, "home") }, uid: 0, userHome: "/root" }),
    machine: {
      root: true,
      nativeSources: { carried: join(directory, "carried"), checkout: join(directory, "checkout") },
    },
    root: directory,
    nodeVersion: "24.21.0",
    processor: "x64",
    kernelRelease: "6.12.90-amd64",
    kernelVersion: "#1 SMP",
    uid: process.geteuid?.() ?? -1,
  };
}

async function check(name: string, context: DoctorContext) {
  const definition = everyCheck.find((each) => each.name === name);
  assert.ok(definition, name);
  return definition.run(context);
}

test("all is well when the essential checks hold and a hypervisor is usable", async () => {
  const good: CheckDefinition = {
    name: "a",
    essential: true,
    run: async () => ({ ok: true, detail: "d" }),
  };
  const bad: CheckDefinition = {
    name: "b",
    essential: false,
    run: async () => ({ ok: false, detail: "d", fix: "f" }),
  };
  const report = await doctor({ probe, checks: [good, bad] });
  assert.deepEqual(report, {
    ok: true,
    checks: [
      { name: "a", ok: true, detail: "d" },
      { name: "b", ok: false, detail: "d", fix: "f" },
    ],
    hypervisors: [usable],
    chosen: "qemu",
  });
  assert.equal((await doctor({ probe: noProbe, checks: [good] })).ok, false);
  const limit = { name: "c", ok: false, detail: "d", fix: "f" };
  const limited = await doctor({
    probe: async () => ({ ...(await probe()), checks: [limit] }),
    checks: [good],
  });
  assert.deepEqual([limited.ok, limited.checks.at(-1)], [true, limit]);
  assert.equal((await doctor({ probe, checks: [{ ...bad, essential: true }] })).ok, false);
});

test("a check that breaks counts as failed and says why", async () => {
  const broken: CheckDefinition = {
    name: "a",
    essential: true,
    run: async () => {
      throw new Error("no such thing");
    },
  };
  const report = await doctor({ probe, checks: [broken] });
  assert.equal(report.ok, false);
  assert.deepEqual(report.checks, [
    { name: "a", ok: false, detail: "it could not be checked: no such thing" },
  ]);
});

test("this machine can be looked at, and every failed check tells what to do", async () => {
  const { checks } = await doctor({ probe });
  assert.equal(checks.length, everyCheck.length);
  assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length);
  for (const { name, ok, detail, fix } of checks) {
    assert.notEqual(detail, "", name);
    assert.ok(ok || fix !== undefined, `${name}: ${detail}`);
  }
});

test("a machine where nothing was set up is told so", async (t) => {
  const context = await useMachine(t);
  for (const name of ["guest-kernel", "image-busybox", "agent-and-launcher"]) {
    const { ok, fix } = await check(name, context);
    assert.deepEqual([ok, fix], [false, virgaCommand("setup")], name);
  }
  assert.equal((await check("directories", context)).ok, true, "they are made when first used");
  assert.equal((await check("node", { ...context, nodeVersion: "24.14.9" })).ok, false);
  assert.equal((await check("node", { ...context, nodeVersion: "26.0.0" })).ok, true);
});

test("a state directory with too long a path for sockets is found", async (t) => {
  const context = await useMachine(t);
  const env = { VIRGA_HOME: `/${"d".repeat(90)}` };
  const home = homePaths({ env, uid: 0, userHome: "/root" });
  const { ok, detail, fix } = await check("directories", { ...context, home });
  assert.deepEqual([ok, fix], [false, "Set VIRGA_HOME to a shorter path"]);
  assert.match(detail, /cannot be used: VMs need a directory whose path is shorter by \d+/);
});

test("a directory of somebody else is found", async (t) => {
  const context = await useMachine(t, { "home/file": "" });
  const { ok, detail } = await check("directories", { ...context, uid: 4321 });
  assert.equal(ok, false);
  assert.match(detail, /belongs to user \d+, and this is user 4321/);
});

test(
  "a directory that cannot be written to is found, by root too",
  { skip: mountsMissing() },
  async (t) => {
    const context = await useMachine(t, { "home/file": "" });
    const { state } = context.home;
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro,mode=700", "tmpfs", state]);
    try {
      const { ok, detail } = await check("directories", context);
      assert.deepEqual([ok, detail], [false, `${state} cannot be used: EROFS`]);
    } finally {
      execFileSync("umount", [state]);
    }
  },
);

test("no KVM is no fault of safety, and one that cannot be opened is told apart", async (t) => {
  const none = await useMachine(t);
  assert.match((await check("kvm", none)).detail, /emulated/);
  assert.equal((await check("kvm-escapes", none)).ok, true);
  const directory = await useMachine(t, { "dev/kvm/is-a-folder": "" });
  assert.match((await check("kvm", directory)).detail, /cannot be opened: EISDIR/);
});

test("escapes count where guests are offered KVM, and on PVM", async (t) => {
  const nested = await useMachine(t, {
    "dev/kvm": "",
    "sys/module/kvm_amd/parameters/nested": "1\n",
  });
  const offered = await check("nested-kvm", nested);
  assert.equal(offered.ok, false);
  assert.match(offered.fix ?? "", /kvm_amd nested=0/);
  const found = await check("kvm-escapes", nested);
  assert.equal(found.ok, false);
  assert.match(
    found.detail,
    /^6\.12\.90 has CVE-2026-53359, CVE-2026-46113; no fix in the series .* CVE-2026-64561$/,
  );

  const fixed = await check("kvm-escapes", { ...nested, kernelRelease: "7.3.1" });
  assert.equal(fixed.ok, true);

  const off = await useMachine(t, { "dev/kvm": "", "sys/module/kvm_amd/parameters/nested": "0\n" });
  assert.equal((await check("nested-kvm", off)).ok, true);
  assert.equal((await check("kvm-escapes", off)).ok, true);
  assert.equal((await check("kvm-escapes", { ...off, processor: "arm64" })).ok, false);

  const pvm = await useMachine(t, { "dev/kvm": "", "sys/module/kvm_pvm/x": "" });
  assert.match((await check("kvm-escapes", pvm)).detail, /its KVM is PVM/);
});

test("userfaultfd is found as a device, as a call for all, or as a call for root", async (t) => {
  const setting = "proc/sys/vm/unprivileged_userfaultfd";
  const machines = {
    device: await useMachine(t, { "dev/userfaultfd": "" }),
    all: await useMachine(t, { [setting]: "1\n" }),
    root: await useMachine(t, { [setting]: "0\n" }),
    none: await useMachine(t),
    // For writing not even root can open a directory.
    closed: await useMachine(t, { "dev/userfaultfd/closed": "", [setting]: "0\n" }),
  };
  const ok = async (context: DoctorContext, uid: number) =>
    (await check("userfaultfd", { ...context, uid })).ok;
  assert.deepEqual(await Promise.all(Object.values(machines).map((machine) => ok(machine, 1000))), [
    true,
    true,
    false,
    false,
    false,
  ]);
  assert.deepEqual(await Promise.all(Object.values(machines).map((machine) => ok(machine, 0))), [
    true,
    true,
    true,
    false,
    true,
  ]);
});

test("namespaces are tried, with a user namespace for who is not root", async (t) => {
  const context = await useMachine(t);
  await usePathPrograms(t, context.root, {
    unshare: 'case "$*" in *--user*) exit 0;; esac; echo "Operation not permitted" >&2; exit 1',
  });
  const root = await check("namespaces", { ...context, uid: 0 });
  assert.deepEqual([root.ok, root.fix], [false, "In a container, give it CAP_SYS_ADMIN"]);
  assert.match(root.detail, /Operation not permitted$/);
  assert.equal((await check("namespaces", { ...context, uid: 1000 })).ok, true);
});

test(
  "copies that cannot share blocks are told, by a look that leaves nothing",
  { skip: mountsMissing() },
  async (t) => {
    const context = await useMachine(t);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", context.root]);
    try {
      const { ok, detail, fix } = await check("reflinks", context);
      assert.equal(ok, false);
      // The state directory is not there yet.
      assert.match(detail, new RegExp(`^the file system of ${context.root} has no reflinks`));
      assert.match(fix ?? "", /XFS or btrfs/);
      assert.deepEqual(await readdir(context.root), []);
    } finally {
      execFileSync("umount", [context.root]);
    }
  },
);
