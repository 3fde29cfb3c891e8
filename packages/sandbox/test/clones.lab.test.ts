import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { bootFamily, drawnTwice } from "./clone-family.ts";

const CLONES = 3;

const hypervisor = process.env["VIRGA_LAB_DRIVER"] === "qemu" ? "qemu" : "cloud-hypervisor";

describe(`clones of a running guest on ${hypervisor} with KVM`, () => {
  test("no two draw the same random bytes; without the freeze they do", (t) =>
    withLeakCheck(t, async (place) => {
      await using family = await bootFamily(place, hypervisor);
      const drawn = (name: string, freeze: boolean): Promise<string[]> =>
        drawnTwice(family, name, { freeze, reseed: true, clones: CLONES });

      assert.deepEqual(await drawn("whole", true), []);
      const unfrozen = await drawn("unfrozen", false);
      assert.notDeepEqual(unfrozen, [], "the test sees what a missing freeze does");
    }));
});
