import assert from "node:assert/strict";
import { test } from "node:test";
import { isTemplateKey, templateKey } from "./template-key.ts";
import type { TemplateParts } from "./template-key.ts";

const parts: TemplateParts = {
  image: "busybox",
  diskMib: null,
  kernel: "k1",
  initramfs: "abc",
  kernelArguments: ["quiet"],
  vcpus: 1,
  memoryMib: 512,
  memoryForm: "file",
  balloon: false,
  warm: null,
  network: "none",
  hypervisor: "qemu",
  hypervisorVersion: "7.2.22",
  accelerator: "tcg",
  cpu: null,
  isolated: true,
};

test("a key does not depend on the order of the parts", () => {
  const turned = Object.fromEntries(Object.entries(parts).toReversed()) as unknown as TemplateParts;
  assert.equal(templateKey(turned), templateKey(parts));
  assert.ok(isTemplateKey(templateKey(parts)));
});

test("every part counts", () => {
  const others: Record<keyof TemplateParts, unknown> = {
    image: "debian",
    diskMib: 10_240,
    kernel: "k2",
    initramfs: "abd",
    kernelArguments: ["quiet", "x"],
    vcpus: 2,
    memoryMib: 513,
    memoryForm: "anonymous",
    balloon: true,
    network: "internet",
    warm: { command: ["true"], keep: false },
    hypervisor: "cloud-hypervisor",
    hypervisorVersion: "8.2.0",
    accelerator: "kvm",
    cpu: "a processor",
    isolated: false,
  };
  const keys = new Set([templateKey(parts)]);
  for (const [name, value] of Object.entries(others)) {
    keys.add(templateKey({ ...parts, [name]: value }));
  }
  assert.equal(keys.size, Object.keys(others).length + 1);
});

test("other texts are not keys", () => {
  for (const text of ["", "../..", "G".repeat(32), ".building-0", "a".repeat(33)]) {
    assert.equal(isTemplateKey(text), false);
  }
});
