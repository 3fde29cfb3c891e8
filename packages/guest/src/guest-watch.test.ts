import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { parseFileEvent } from "./guest-watch.ts";

function record(fields: object): Map<string, never> {
  return new Map(Object.entries(fields)) as Map<string, never>;
}

test("events are read by their kind", () => {
  const events = [
    { event: "created", path: "a" },
    { event: "modified", path: "." },
    { event: "removed", path: "a/b" },
    { event: "renamed", path: "a", to: "b" },
    { event: "unwatched", path: "a", errno: 13 },
    { event: "overflow" },
  ];
  for (const event of events) assert.deepEqual(parseFileEvent(record(event)), event);
  const bytes = parseFileEvent(record({ event: "created", path: Buffer.of(0xff) }));
  assert.deepEqual(bytes, { event: "created", path: Buffer.of(0xff) });
});

for (const wrong of [
  { event: "ready" },
  { event: "created" },
  { event: "created", path: "" },
  { event: "renamed", path: "a" },
  { event: "unwatched", path: "a" },
  { path: "a" },
]) {
  test(`${JSON.stringify(wrong)} is refused`, () => {
    assert.throws(() => parseFileEvent(record(wrong)), guestError("GUEST_PROTOCOL"));
  });
}
