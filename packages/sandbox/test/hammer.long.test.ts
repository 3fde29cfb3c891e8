import { test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { testHammer } from "./hammer/test-hammer.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

const LIMIT_MS = 5 * 60_000;

test("six processes, of which two are killed again and again, lose nothing in five minutes", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = await fakeHostOptions(place, "qemu");
    const options = { processes: 6, dying: 2, operations: 100_000, limitMs: LIMIT_MS };
    await testHammer(t, place, { host: { fake }, ...options });
  }));
