import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { test } from "node:test";
import { limitProblems, machineLimits } from "./machine-limits.ts";

const GIB = 1024 ** 3;

test("a VM may have the machine's memory, or what its control group leaves of it", () => {
  const size = { processors: 4, memoryBytes: 16 * GIB, allowedBytes: 0 };
  const memory = (allowedBytes: number): number =>
    machineLimits({ ...size, allowedBytes }).memoryMib;
  assert.equal(memory(0), 16 * 1024);
  assert.equal(memory(2 ** 63), 16 * 1024);
  assert.equal(memory(2 * GIB), 2 * 1024);
  const here = machineLimits().memoryMib;
  assert.ok(here > 0 && here <= totalmem() / 1024 ** 2);
});

test("a VM may have the machine's processors, or eight", () => {
  const vcpus = (processors: number): number =>
    machineLimits({ processors, memoryBytes: GIB, allowedBytes: 0 }).vcpus;
  assert.deepEqual([vcpus(1), vcpus(8), vcpus(64), vcpus(512)], [8, 8, 64, 255]);
});

test("what is more than the machine has is named with what it has", () => {
  const most = { vcpus: 8, memoryMib: 2048 };
  assert.deepEqual(limitProblems({ vcpus: 8, memoryMib: 2048 }, most), []);
  assert.deepEqual(limitProblems({ vcpus: 9, memoryMib: 2049 }, most), [
    { path: "memoryMib", value: 2049, allowed: "at most 2048 on this machine, by its memory" },
    { path: "vcpus", value: 9, allowed: "at most 8 on this machine, by its processors" },
  ]);
});
