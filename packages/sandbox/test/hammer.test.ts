import { test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { testHammer } from "./hammer/test-hammer.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

test("three processes on one state directory lose nothing and fail for nothing but each other", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = await fakeHostOptions(place, "qemu");
    await testHammer(t, place, { host: { fake }, processes: 3, operations: 40 });
  }));
