import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { bootFamily, drawnTwice } from "./clone-family.ts";

const CLONES = 3;

describe("clones of a running guest on QEMU", { skip: qemuMissing() }, () => {
  test("no two draw the same random bytes; without the freeze or the reseed they do", (t) =>
    withLeakCheck(t, async (place) => {
      await using family = await bootFamily(place, "qemu");
      const drawn = (name: string, freeze: boolean, reseed: boolean): Promise<string[]> =>
        drawnTwice(family, name, { freeze, reseed, clones: CLONES });

      assert.deepEqual(await drawn("whole", true, true), []);
      const unfrozen = await drawn("unfrozen", false, true);
      assert.notDeepEqual(unfrozen, [], "the test sees what a missing freeze does");
      const unseeded = await drawn("unseeded", true, false);
      assert.notDeepEqual(unseeded, [], "the test sees what a missing reseed does");
    }));
});
