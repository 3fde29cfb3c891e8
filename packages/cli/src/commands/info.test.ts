import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxInfo } from "@virga/sandbox";
import { factsText } from "../output/facts.ts";
import { infoFacts } from "./info.ts";

test("a person reads timings by operation", () => {
  const info = { id: "i1", name: null, timings: { create: {}, snapshot: { stop: 7.25, disk: 4 } } };
  assert.equal(
    factsText(infoFacts(info as unknown as SandboxInfo)),
    [
      "id             i1",
      "name           -",
      "create took    -",
      "snapshot took  stop 7.3 ms, disk 4.0 ms",
    ].join("\n"),
  );
});
