import assert from "node:assert/strict";
import { test } from "node:test";
import { createEventParser } from "./events.ts";

/** As Cloud Hypervisor writes it. */
function written(source: string, event: string, properties: unknown = null): string {
  const value = { timestamp: { secs: 1, nanos: 5 }, source, event, properties };
  return `${JSON.stringify(value, undefined, 2)}\n\n`;
}

test("events are found whatever the pieces", () => {
  const text =
    written("vmm", "starting") +
    written("virtio-device", "activated", { id: 'a"}{\\', other: "x\ny" }) +
    written("vm", "booted");
  const expected = [
    { source: "vmm", event: "starting" },
    { source: "virtio-device", event: "activated" },
    { source: "vm", event: "booted" },
  ];
  for (const size of [1, 2, 7, 64, text.length]) {
    const parser = createEventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size)
      events.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(events, expected, `pieces of ${size}`);
  }
});

test("an event that was cut is dropped, the next one is not", () => {
  const cut = written("vm", "paused");
  for (let length = 1; length < cut.length - 3; length++) {
    const text = `${cut.slice(0, length)}\n${written("vm", "resumed")}`;
    assert.deepEqual(
      createEventParser().push(text),
      [{ source: "vm", event: "resumed" }],
      `cut after ${length}`,
    );
  }
});

test("garbage is passed over", () => {
  const text = `\u0000}}]"\n{}\n\n{ nope }\n[1]\n{"source": 1, "event": "x"}\n${written("vm", "booted")}`;
  assert.deepEqual(createEventParser().push(text), [{ source: "vm", event: "booted" }]);
});

test("an event without end does not grow without end", () => {
  const parser = createEventParser();
  assert.deepEqual(parser.push(`{\n  "source": "${"x".repeat(1_000_000)}`), []);
  assert.deepEqual(parser.push(`\n${written("vm", "booted")}`), [
    { source: "vm", event: "booted" },
  ]);
});
