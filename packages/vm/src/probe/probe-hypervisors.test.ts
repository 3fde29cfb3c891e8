import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { cachedVerdict } from "./kvm-verdict.ts";
import { chooseHypervisor } from "./probe-hypervisors.ts";
import type { HypervisorProbe } from "./probe-hypervisors.ts";

const probes: HypervisorProbe[] = [
  {
    name: "cloud-hypervisor",
    accelerator: "kvm",
    version: "v53.0",
    binary: "/c",
    mapsReadOnly: false,
    usable: false,
    reason: "KVM is not usable: it hangs",
  },
  {
    name: "qemu",
    accelerator: "kvm",
    version: "7.2.22",
    binary: "/q",
    mapsReadOnly: false,
    usable: false,
    reason: "KVM is not usable: it hangs",
  },
  {
    name: "qemu",
    accelerator: "tcg",
    version: "7.2.22",
    binary: "/q",
    mapsReadOnly: false,
    usable: true,
    reason: "emulation works everywhere, slowly",
  },
];

test("auto takes the first usable way, in order", () => {
  assert.equal(chooseHypervisor(probes, "auto"), probes[2]);
  const kvm = probes.map((probe) => ({ ...probe, usable: true }));
  assert.equal(chooseHypervisor(kvm, "auto"), kvm[0]);
  assert.equal(chooseHypervisor(kvm, "qemu"), kvm[1]);
});

test("none usable: one error with every reason", () => {
  assert.throws(() => chooseHypervisor(probes, "cloud-hypervisor"), {
    code: "UNSUPPORTED",
    message: /cloud-hypervisor \(kvm\): KVM is not usable: it hangs/u,
  });
  assert.throws(() => chooseHypervisor([], "auto"), { code: "UNSUPPORTED" });
});

test("a verdict is made once per key", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-verdict-"));
  t.after(() => rm(directory, { recursive: true }));
  let trials = 0;
  const trial = (): Promise<{ ok: boolean; reason: string }> =>
    Promise.resolve({ ok: false, reason: `trial ${++trials}` });
  assert.deepEqual(await cachedVerdict(directory, ["a"], trial), { ok: false, reason: "trial 1" });
  assert.deepEqual(await cachedVerdict(directory, ["a"], trial), { ok: false, reason: "trial 1" });
  assert.deepEqual(await cachedVerdict(directory, ["b"], trial), { ok: false, reason: "trial 2" });
  assert.equal((await readdir(directory)).length, 2);
});

test("a trial that failed for another reason is made again", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-verdict-"));
  t.after(() => rm(directory, { recursive: true }));
  const failed = { ok: false, reason: "the disk is full", inconclusive: true } as const;
  assert.deepEqual(await cachedVerdict(directory, ["a"], () => Promise.resolve(failed)), failed);
  const good = { ok: true, reason: "a trial guest ran" };
  assert.deepEqual(await cachedVerdict(directory, ["a"], () => Promise.resolve(good)), good);
});
