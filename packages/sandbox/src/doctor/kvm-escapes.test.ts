import assert from "node:assert/strict";
import { test } from "node:test";
import { KVM_ESCAPES, escapeState, kernelVersionOf } from "./kvm-escapes.ts";

test("the version of a kernel is read where its distribution puts it", () => {
  const cases: [release: string, version: string, expected: string | undefined][] = [
    ["6.1.0-56-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)", "6.1.192"],
    ["6.12.117+deb12-amd64", "#1 SMP Debian 6.12.117-1~deb12u1 (2026-11-14)", "6.12.117"],
    ["6.18.44-fc", "#1 SMP", "6.18.44"],
    ["7.2-rc1", "#1 SMP", "7.2.0"],
    ["7.1", "", "7.1.0"],
    ["custom", "#1", undefined],
  ];
  for (const [release, version, expected] of cases) {
    const kernel = kernelVersionOf(release, version);
    assert.equal(kernel && `${kernel.series}.${kernel.release}`, expected, release);
  }
});

test("a kernel is judged by its own series", () => {
  const [first] = KVM_ESCAPES;
  assert.ok(first);
  const state = (series: string, release: number) => escapeState(first, { series, release });
  assert.equal(state("6.12", 94), "vulnerable");
  assert.equal(state("6.12", 95), "fixed");
  assert.equal(state("7.1", 2), "vulnerable");
  assert.equal(state("7.2", 0), "fixed", "newer than every fix");
  assert.equal(state("6.17", 200), "unknown", "between series with a fix");
  assert.equal(state("5.10", 999), "unknown");
  const none = { ...first, fixedIn: {} };
  assert.equal(escapeState(none, { series: "9.9", release: 0 }), "unknown");
});

test("each escape is named once, with releases that can be compared", () => {
  assert.equal(new Set(KVM_ESCAPES.map(({ id }) => id)).size, KVM_ESCAPES.length);
  for (const { id, processors, fixedIn } of KVM_ESCAPES) {
    assert.match(id, /^CVE-\d{4}-\d+$/);
    assert.ok(processors.length > 0);
    for (const series of Object.keys(fixedIn)) assert.match(series, /^\d+\.\d+$/);
  }
});
