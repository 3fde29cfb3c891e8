import assert from "node:assert/strict";
import { test } from "node:test";
import { tscRateKhz } from "./tsc-rate.ts";

test("the rate is the first processor's", () => {
  assert.equal(tscRateKhz("model\t: 1\ncpu MHz\t\t: 2596.128\n\ncpu MHz\t\t: 1000.000\n"), 2596128);
});

test("without a rate, or with nonsense, there is none", () => {
  assert.equal(tscRateKhz("processor : 0\nBogoMIPS : 48.00\n"), undefined);
  assert.equal(tscRateKhz("cpu MHz : unknown\n"), undefined);
  assert.equal(tscRateKhz("cpu MHz : 0.000\n"), undefined);
});

test("this machine's file can be read", () => {
  const rate = tscRateKhz();
  assert.ok(rate === undefined || (rate > 10_000 && rate < 100_000_000), String(rate));
});
