import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { bootFamily, drawnTwice } from "./clone-family.ts";

const CLONES = 3;
/** Of so many snapshots one shows what a broken contract does. The rest may fall into a moment at which the kernel reseeds by itself, as it does every few seconds. */
const MOMENTS = 4;

describe("clones of a running guest on QEMU", { skip: qemuMissing() }, () => {
  test("no two draw the same random bytes; without the freeze or the reseed they do", (t) =>
    withLeakCheck(t, async (place) => {
      await using family = await bootFamily(place, "qemu");
      const drawn = (name: string, freeze: boolean, reseed: boolean): Promise<string[]> =>
        drawnTwice(family, name, { freeze, reseed, clones: CLONES });

      assert.deepEqual(await drawn("whole", true, true), []);
      const shows = async (name: string, freeze: boolean, reseed: boolean): Promise<boolean> => {
        for (let moment = 0; moment < MOMENTS; moment++) {
          if ((await drawn(`${name}-${moment}`, freeze, reseed)).length > 0) return true;
        }
        return false;
      };
      assert.ok(await shows("unfrozen", false, true), "the test sees what a missing freeze does");
      assert.ok(await shows("unseeded", true, false), "the test sees what a missing reseed does");
    }));
});
