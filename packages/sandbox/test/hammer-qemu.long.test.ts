import { describe, test } from "node:test";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { testHammer } from "./hammer/test-hammer.ts";

/** What was begun by then is done, and all is checked and removed, within the share of one file. */
const LIMIT_MS = 2.5 * 60_000;

describe("real guests on QEMU", { skip: qemuMissing() }, () => {
  test("two processes, of which one is killed again and again, lose nothing", (t) =>
    withLeakCheck(t, async (place) => {
      const options = { processes: 2, dying: 1, operations: 40, limitMs: LIMIT_MS };
      await testHammer(t, place, { host: { place }, ...options });
    }));
});
