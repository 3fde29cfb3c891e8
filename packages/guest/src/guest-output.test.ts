import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import fc from "fast-check";
import { GuestOutput } from "./guest-output.ts";

test("little output goes to the reader's buffer at once and counts as consumed", async () => {
  let consumed = 0;
  const output = new GuestOutput((cost) => (consumed += cost));
  output.deliver(Buffer.from("hello "), 10);
  output.deliver(Buffer.alloc(0), 1);
  output.deliver(Buffer.from("world"), 10);
  output.finish();
  output.finish();
  assert.equal(consumed, 21);
  assert.equal(await text(output), "hello world");
});

test("what a reader does not take is not consumed, until it reads or goes away", async () => {
  for (const leave of [false, true]) {
    let consumed = 0;
    const output = new GuestOutput((cost) => (consumed += cost));
    for (let piece = 0; piece < 6; piece += 1) output.deliver(Buffer.alloc(32_768), 1);
    assert.equal(consumed, 2);
    output.finish();
    if (leave) output.destroy();
    else output.resume();
    while (consumed < 6) await setImmediate();
    output.deliver(Buffer.alloc(10), 1);
    if (leave) assert.equal(consumed, 7);
  }
});

test("an error crashes nobody who does not listen", async () => {
  const output = new GuestOutput(() => {});
  output.deliver(Buffer.from("x"), 1);
  output.destroy(new Error("lost"));
  await setImmediate();
  await assert.rejects(text(output));
});

test("all bytes come out in order, with all of the cost, whatever the reader's pace", async () => {
  const pieces = fc.array(fc.nat({ max: 33_000 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.array(fc.boolean()), async (lengths, pauses) => {
      let consumed = 0;
      const output = new GuestOutput((cost) => (consumed += cost));
      const read: Buffer[] = [];
      const reading = (async () => {
        for await (const chunk of output) {
          read.push(chunk as Buffer);
          if (pauses[read.length % (pauses.length + 1)] === true) await setImmediate();
        }
      })();
      const sent: Buffer[] = [];
      for (const [index, length] of lengths.entries()) {
        const bytes = Buffer.alloc(length, index + 1);
        sent.push(bytes);
        output.deliver(bytes, length + 1);
        if (index % 3 === 0) await setImmediate();
      }
      output.finish();
      await reading;
      assert.ok(Buffer.concat(read).equals(Buffer.concat(sent)));
      assert.equal(
        consumed,
        lengths.reduce((sum, length) => sum + length + 1, 0),
      );
    }),
    { numRuns: 50 },
  );
});
