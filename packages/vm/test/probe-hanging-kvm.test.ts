import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fakeHypervisor, useVariable, withLeakCheck } from "@virga/testkit";
import { cloudHypervisorDriver } from "../src/hypervisor/cloud-hypervisor/driver.ts";
import { qemuDriver } from "../src/hypervisor/qemu/driver.ts";
import { chooseHypervisor, probeHypervisors } from "../src/probe/probe-hypervisors.ts";
import { kvmMachine } from "./hanging-kvm.ts";

const HANGS = "KVM is not usable: a guest did not finish its boot within 200 ms (it hangs)";

test("a KVM that opens and hangs its guests: auto emulates and says why, after one trial per boot", async (t) => {
  await withLeakCheck(t, async (place) => {
    const ch = fakeHypervisor({ name: "cloud-hypervisor", directory: place.scratch });
    const qemu = fakeHypervisor({ name: "qemu", directory: place.scratch });
    useVariable(t, "VIRGA_CLOUD_HYPERVISOR", ch.binary);
    useVariable(t, "VIRGA_QEMU", qemu.binary);
    const machine = await kvmMachine(t, place, [
      cloudHypervisorDriver,
      qemuDriver({ accelerator: "kvm" }),
      qemuDriver({ accelerator: "tcg" }),
    ]);
    const kernel = join(place.scratch, "kernel");
    writeFileSync(kernel, "");
    // A fake's guest runs on and never ends, as one that hangs in its boot.
    const boots = () =>
      [...ch.calls(), ...qemu.calls()].filter(
        ({ call, phase }) => ["vm.boot", "cont"].includes(call) && phase === "start",
      ).length;

    const probes = await probeHypervisors({ ...machine, kernel });
    const told = (all: typeof probes) =>
      all.map(({ name, accelerator, usable, reason }) => [name, accelerator, usable, reason]);
    const expected = [
      ["cloud-hypervisor", "kvm", false, HANGS],
      ["qemu", "kvm", false, HANGS],
      ["qemu", "tcg", true, `emulation works everywhere, slowly; ${HANGS}`],
    ];
    assert.deepEqual(told(probes), expected);
    assert.equal(boots(), 1, "what one hypervisor shows of KVM holds for the next");
    const chosen = chooseHypervisor(probes, "auto");
    assert.deepEqual([chosen.name, chosen.accelerator], ["qemu", "tcg"]);
    assert.match(chosen.reason, /KVM is not usable: .*\(it hangs\)/u);
    assert.throws(() => chooseHypervisor(probes, "cloud-hypervisor"), {
      code: "UNSUPPORTED",
      message: `No usable hypervisor for cloud-hypervisor: cloud-hypervisor (kvm): ${HANGS}`,
    });

    assert.deepEqual(told(await probeHypervisors({ ...machine, kernel })), expected);
    assert.equal(boots(), 1, "the verdict is kept");
    assert.ok(readdirSync(machine.cacheDirectory).some((name) => name.startsWith("kvm-")));

    const other = join(place.scratch, "other-kernel");
    writeFileSync(other, "");
    await probeHypervisors({ ...machine, kernel: other });
    assert.equal(boots(), 2, "another kernel may run where this one hangs");
  });
});

test("a hypervisor that fails by itself says nothing of KVM: the next one is tried", async (t) => {
  await withLeakCheck(t, async (place) => {
    const ch = fakeHypervisor({
      name: "cloud-hypervisor",
      directory: place.scratch,
      behaviour: { start: { do: "exit", code: 1, message: "it is broken" } },
    });
    const qemu = fakeHypervisor({ name: "qemu", directory: place.scratch });
    useVariable(t, "VIRGA_CLOUD_HYPERVISOR", ch.binary);
    useVariable(t, "VIRGA_QEMU", qemu.binary);
    const drivers = [cloudHypervisorDriver, qemuDriver({ accelerator: "kvm" }), qemuDriver()];
    const machine = await kvmMachine(t, place, drivers);
    const kernel = join(place.scratch, "kernel");
    writeFileSync(kernel, "");
    const [broken, tried, emulated] = await probeHypervisors({ ...machine, kernel });
    assert.equal(broken?.usable, false);
    assert.match(broken?.reason ?? "", /^no guest runs in it: /u);
    assert.equal(tried?.reason, HANGS);
    assert.ok(
      qemu.calls().some(({ call }) => call === "cont"),
      "it was tried",
    );
    assert.equal(emulated?.reason, `emulation works everywhere, slowly; ${HANGS}`);

    const alone = { ...machine, drivers: [cloudHypervisorDriver, qemuDriver()], kernel };
    const { reason } = chooseHypervisor(await probeHypervisors(alone), "auto");
    assert.match(reason, /slowly; cloud-hypervisor with KVM: no guest runs in it: /u);
  });
});

test("without a device nothing is tried, and auto says so", async (t) => {
  await withLeakCheck(t, async (place) => {
    const qemu = fakeHypervisor({ name: "qemu", directory: place.scratch });
    useVariable(t, "VIRGA_QEMU", qemu.binary);
    const machine = await kvmMachine(t, place, [qemuDriver({ accelerator: "kvm" }), qemuDriver()]);
    const kernel = join(place.scratch, "kernel");
    writeFileSync(kernel, "");
    const kvmDevice = join(place.scratch, "absent");
    const probes = await probeHypervisors({ ...machine, kernel, kvmDevice });
    const { accelerator, reason } = chooseHypervisor(probes, "auto");
    assert.equal(accelerator, "tcg");
    assert.match(reason, /KVM is not usable: \S+absent does not exist$/u);
    assert.deepEqual(qemu.calls(), []);
  });
});
