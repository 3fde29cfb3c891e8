import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { test } from "node:test";
import { machineLimits } from "./machine-limits.ts";

const GIB = 1024 ** 3;

test("a sandbox may have the machine's memory, or what its control group leaves of it", () => {
  const size = { processors: 4, memoryBytes: 16 * GIB, allowedBytes: 0 };
  const memory = (allowedBytes: number): number =>
    machineLimits({ ...size, allowedBytes }).memoryMib;
  assert.equal(memory(0), 16 * 1024);
  assert.equal(memory(2 ** 63), 16 * 1024);
  assert.equal(memory(2 * GIB), 2 * 1024);
  const here = machineLimits().memoryMib;
  assert.ok(here > 0 && here <= totalmem() / 1024 ** 2);
});

test("a sandbox may have the machine's processors, or eight", () => {
  const vcpus = (processors: number): number =>
    machineLimits({ processors, memoryBytes: GIB, allowedBytes: 0 }).vcpus;
  assert.deepEqual([vcpus(1), vcpus(8), vcpus(64), vcpus(512)], [8, 8, 64, 255]);
});
