import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { qemuMissing, qemuSubject } from "@virga/testkit";
import { killCases } from "./kill-cases.ts";
import { killEverywhere } from "./kill-points.ts";

describe("real guests on QEMU", { skip: qemuMissing() }, () => {
  for (const one of killCases) {
    test(`killed at every step of ${one.title}, a VM is whole or nothing`, async (t) => {
      const events = await killEverywhere(qemuSubject, one, 1);
      t.diagnostic(`${events} events`);
      assert.ok(events >= one.events, `${one.title} had ${events} events`);
    });
  }
});
