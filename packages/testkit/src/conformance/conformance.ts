import { describe } from "node:test";
import type { ConformanceSubject } from "./conformance-subject.ts";
import { testAdoption } from "./test-adoption.ts";
import { testEnds } from "./test-ends.ts";
import { testLife } from "./test-life.ts";
import { testSnapshots } from "./test-snapshots.ts";

/**
 * What every hypervisor driver must do when the manager drives it, as tests. The same suite runs on the fakes, on QEMU and on Cloud Hypervisor: what passes
 * on one and fails on another is a difference that users would meet. Few VMs, many checks: a real VM's start is the dear part.
 */
export function testConformance(name: string, subject: ConformanceSubject): void {
  describe(`conformance: ${name}`, { concurrency: false }, () => {
    testLife(subject);
    testSnapshots(subject);
    testEnds(subject);
    testAdoption(subject);
  });
}

/** The suite's part about snapshots alone: for another form of memory on a hypervisor that had the whole suite. */
export function testSnapshotConformance(name: string, subject: ConformanceSubject): void {
  describe(`conformance: ${name}`, { concurrency: false }, () => {
    testSnapshots(subject);
  });
}
