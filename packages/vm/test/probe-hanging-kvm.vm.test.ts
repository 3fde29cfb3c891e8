import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hangingKernel, qemuMissing, useVariable, withLeakCheck } from "@virga/testkit";
import { findHypervisor } from "../src/config/defaults.ts";
import { qemuDriver } from "../src/hypervisor/qemu/driver.ts";
import { chooseHypervisor, probeHypervisors } from "../src/probe/probe-hypervisors.ts";
import { kvmMachine } from "./hanging-kvm.ts";

test(
  "a real guest that stands still in its boot shows a KVM that hangs",
  { skip: qemuMissing() },
  async (t) => {
    await withLeakCheck(t, async (place) => {
      // A QEMU that emulates where it is told to use KVM: what this machine's KVM is worth, if it has one, is another question.
      const binary = join(place.scratch, "qemu-system-x86_64");
      const script = `#!/bin/sh
for word; do
  shift
  case "$word" in kvm) word=tcg;; host) word=max;; esac
  set -- "$@" "$word"
done
exec '${findHypervisor("qemu")}' "$@"
`;
      writeFileSync(binary, script, { mode: 0o755 });
      useVariable(t, "VIRGA_QEMU", binary);
      const drivers = [qemuDriver({ accelerator: "kvm" }), qemuDriver()];
      const machine = await kvmMachine(t, place, drivers);
      const kernel = join(place.scratch, "hanging");
      writeFileSync(kernel, hangingKernel("Linux version, as far as it comes\r\n"));
      const probes = await probeHypervisors({ ...machine, kernel });
      const { accelerator, reason } = chooseHypervisor(probes, "auto");
      assert.equal(accelerator, "tcg");
      assert.match(reason, /KVM is not usable: .*did not finish its boot .*\(it hangs\)$/u);
    });
  },
);
