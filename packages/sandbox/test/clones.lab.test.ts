import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { bootFamily, drawnTwice } from "./clone-family.ts";

const hypervisor = process.env["VIRGA_LAB_DRIVER"] === "qemu" ? "qemu" : "cloud-hypervisor";

// That the same draws are seen when a part of the contract is missing is shown on emulated guests (clones.vm.test.ts): with KVM in the lab it is left to chance.
describe(`clones of a running guest on ${hypervisor} with KVM`, () => {
  test("no two draw the same random bytes", (t) =>
    withLeakCheck(t, async (place) => {
      await using family = await bootFamily(place, hypervisor);
      const contract = { freeze: true, reseed: true, clones: 3 };
      assert.deepEqual(await drawnTwice(family, "whole", contract), []);
    }));
});
