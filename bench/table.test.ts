import assert from "node:assert/strict";
import { test } from "node:test";
import { table } from "./table.ts";

test("the table names what was measured, its interval, the aim and the verdict", () => {
  const lines = table([
    {
      name: "pause",
      unit: "ms",
      raw: { count: 12, median: 1.234, p95: 2 },
      virga: { count: 12, median: 2.5, p95: 123.4 },
      median: { value: 2.5, low: 2, high: 3 },
      comparison: {
        ratio: { value: 2.026, low: 1.9, high: 2.2 },
        difference: { value: 1.266, low: 1, high: 1.5 },
      },
      aim: { of: "difference", most: 2 },
      verdict: "reached",
      isNarrow: true,
      samples: { virga: [] },
    },
    {
      name: "heap per VM",
      unit: "KiB",
      virga: { count: 3, median: 42.21, p95: 50 },
      median: { value: 42.21, low: 40, high: 44 },
      aim: { of: "value", most: 97.656 },
      verdict: "reached",
      isNarrow: true,
      samples: { virga: [] },
    },
  ]).split("\n");
  assert.equal(lines.length, 3);
  assert.match(
    lines[1] ?? "",
    /^pause +12 +1\.23 ms +2\.00 ms +2\.50 ms +123 ms +2\.03 \[1\.90, 2\.20\] +±8 % +\+1\.27 \[1\.00, 1\.50\], <= \+2 ms +reached$/,
  );
  assert.match(
    lines[2] ?? "",
    /^heap per VM +3 +42\.2 KiB +50\.0 KiB +±5 % +<= 97\.7 KiB +reached$/,
  );
});
