import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeSubject } from "@virga/testkit";
import { killCases } from "./kill-cases.ts";
import { killEverywhere } from "./kill-points.ts";
import { drivers } from "./with-fake.ts";

const LANES = 2;

for (const driver of drivers) {
  // One with namespaces of its own, where this machine allows it, and one without.
  const isolation = driver.name === "qemu" ? "off" : "auto";
  const subject = fakeSubject({ driver, restoreModes: [], isolation });
  for (const one of killCases) {
    test(`${driver.name}: killed at every step of ${one.title}, a VM is whole or nothing`, async (t) => {
      const events = await killEverywhere(subject, one, LANES);
      t.diagnostic(`${events} events`);
      assert.ok(events >= one.events, `${one.title} had ${events} events`);
    });
  }
}
