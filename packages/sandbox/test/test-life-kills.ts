import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  cloudHypervisorMissing,
  imageToolsMissing,
  qemuMissing,
  withLeakCheck,
} from "@virga/testkit";
import type { HypervisorName } from "@virga/vm";
import { killLifeAt, killLifeEverywhere, removeAll } from "./kill-life.ts";
import { lifeKillCases } from "./kill-life-cases.ts";
import type { LifeKillOperation } from "./kill-life-cases.ts";
import { openKillHost } from "./kill-life-host.ts";
import { fakeKillSubject, realKillSubject } from "./kill-life-subject.ts";

/** Real guests that are killed at every step are slow where they are emulated. */
const timeout = 30 * 60_000;

/** Declares tests that kill a process before and after every step of every operation on a fake. */
export function testLifeKillsOnFake(hypervisor: HypervisorName): void {
  for (const one of lifeKillCases) {
    test(`${hypervisor}: killed before and after every step of ${one.title}, a sandbox is whole or nothing`, (t) =>
      withLeakCheck(t, async (place) => {
        const subject = await fakeKillSubject(place, hypervisor);
        const events = await killLifeEverywhere(subject, one, "begins and ends");
        t.diagnostic(`${events} events`);
        assert.ok(events >= 2 * one.steps, `${one.title} had ${events} events`);
      }));
  }
}

function missingFor(hypervisor: HypervisorName): false | string {
  const missing = hypervisor === "qemu" ? qemuMissing() : cloudHypervisorMissing();
  return missing || imageToolsMissing("sqfstar", "mke2fs");
}

/** Declares a test that kills a process at every step of these operations on sandboxes with real guests, which share a template. */
export function testLifeKillsOnGuests(
  hypervisor: HypervisorName,
  operations: readonly LifeKillOperation[],
): void {
  describe(`real guests on ${hypervisor}`, { skip: missingFor(hypervisor) }, () => {
    const title = `killed at every step of ${operations.join(", ")}, a sandbox is whole or nothing`;
    test(title, { timeout }, (t) =>
      withLeakCheck(t, async (place) => {
        const subject = await realKillSubject(place, hypervisor);
        for (const one of lifeKillCases) {
          if (!operations.includes(one.operation)) continue;
          const steps = await killLifeEverywhere(subject, one, "begins");
          t.diagnostic(`${steps} steps of ${one.title}`);
          assert.ok(steps >= one.steps, `${one.title} had ${steps} steps`);
        }
      }),
    );
  });
}

/** Declares a test that kills a process at a share of all steps of all operations, where those of one operation would take too long together. */
export function testLifeKillShare(hypervisor: HypervisorName, share: number, shares: number): void {
  const points = lifeKillCases.flatMap((one) =>
    Array.from({ length: one.steps }, (_, index) => ({ one, at: index + 1 })),
  );
  const end = (count: number): number => Math.ceil((points.length * count) / shares);
  const events = "begins";
  describe(`real guests on ${hypervisor}`, { skip: missingFor(hypervisor) }, () => {
    const title = `killed at share ${share} of ${shares} of all steps, a sandbox is whole or nothing`;
    test(title, { timeout }, (t) =>
      withLeakCheck(t, async (place) => {
        const subject = await realKillSubject(place, hypervisor);
        for (const { one, at } of points.slice(end(share - 1), end(share))) {
          t.diagnostic(`step ${at} of ${one.title}`);
          assert.ok(await killLifeAt(subject, one, { at, events }), `step ${at} of ${one.title}`);
          // Guests with a disk have some more.
          let more = at === one.steps ? at + 1 : undefined;
          while (more !== undefined)
            more = (await killLifeAt(subject, one, { at: more, events })) ? more + 1 : undefined;
        }
        await removeAll(await openKillHost(subject.options));
      }),
    );
  });
}
