import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoctorReport } from "@virga/sandbox";
import { doctorText } from "./doctor-text.ts";

const qemu = { name: "qemu", version: "7.2.22", usable: false, reason: "KVM hangs" } as const;
const report: DoctorReport = {
  ok: true,
  checks: [
    { name: "node", ok: true, detail: "24.21.0", fix: "none is shown for what is well" },
    { name: "kvm", ok: false, detail: "no KVM", fix: "turn it on" },
  ],
  hypervisors: [
    {
      name: "cloud-hypervisor",
      version: null,
      accelerator: "kvm",
      usable: false,
      reason: "it is not on PATH",
    },
    { ...qemu, accelerator: "kvm" },
    { ...qemu, accelerator: "tcg", usable: true, reason: "emulation works; KVM hangs" },
  ],
  chosen: "qemu",
};

test("each check has its mark and its fix, each hypervisor its reason, and what auto picks its accelerator", () => {
  assert.deepEqual(doctorText(report).split("\n"), [
    "ok   node              24.21.0",
    "no   kvm               no KVM",
    "                       fix: turn it on",
    "",
    "no   cloud-hypervisor  kvm: it is not on PATH",
    "no   qemu              7.2.22, kvm: KVM hangs",
    "ok   qemu              7.2.22, tcg: emulation works; KVM hangs",
    "",
    "VMs can run here; --hypervisor auto picks qemu (tcg).",
  ]);
});

test("a machine that cannot run VMs is told the command that makes it able to", () => {
  const last = doctorText({ ...report, ok: false, chosen: null })
    .split("\n")
    .at(-1);
  assert.match(last ?? "", /^VMs cannot run here yet: .* run: .*virga setup$/u);
});
