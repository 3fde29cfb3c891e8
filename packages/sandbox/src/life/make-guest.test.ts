import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError, silentLogger } from "@virga/vm";
import type { Host } from "../host.ts";
import { Timings } from "../timings.ts";
import { restoreClone } from "./make-guest.ts";
import type { MakeGuestOptions } from "./make-guest.ts";

test("a damaged template is let go of, once, before it is made anew", async () => {
  const events: string[] = [];
  const host = {
    logger: silentLogger,
    manager: {
      createFromSnapshot: () => Promise.reject(new VirgaError("SNAPSHOT_INVALID", "damaged")),
    },
    templates: {
      ensure: async () => ({
        key: "k",
        snapshotDirectory: "/s",
        built: false,
        release: () => events.push("release"),
      }),
      drop: async () => void events.push("drop"),
    },
  } as unknown as Host;
  const making = {
    host,
    plan: { key: "k", clone: {}, restore: { reason: "" }, network: "none" },
    id: "i",
    accelerator: "tcg",
    timings: new Timings(),
    signal: undefined,
  } as unknown as MakeGuestOptions;
  await assert.rejects(restoreClone(making), { code: "SNAPSHOT_INVALID" });
  assert.deepEqual(events, ["release", "drop", "release"]);
});
