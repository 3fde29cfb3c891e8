import assert from "node:assert/strict";
import { test } from "node:test";
import { romOffCheck } from "./rom-off-check.ts";

const cloudHypervisor = {
  name: "cloud-hypervisor",
  version: "v53.0",
  mapsReadOnly: false,
} as const;

test("rom=off is QEMU's own word, whatever its version", () => {
  const judged = (version: string, mapsReadOnly: boolean) =>
    romOffCheck([cloudHypervisor, { name: "qemu", version, mapsReadOnly }]);
  const has = judged("7.2.22", true);
  assert.deepEqual([has.ok, has.fix], [true, undefined]);
  assert.match(has.detail, /^QEMU 7\.2\.22 has rom=off/);
  const lacks = judged("10.0.2", false);
  assert.equal(lacks.ok, false);
  assert.match(lacks.detail, /^QEMU 10\.0\.2 has no rom=off/);
  assert.match(lacks.fix ?? "", /8\.2/);
});

test("without QEMU there is nothing to say", () => {
  const missing = { name: "qemu", version: null, mapsReadOnly: null } as const;
  for (const probes of [[], [cloudHypervisor], [cloudHypervisor, missing, missing]]) {
    assert.deepEqual(romOffCheck(probes), {
      name: "qemu-rom-off",
      ok: true,
      detail: "there is no QEMU to ask",
    });
  }
});
