import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { guestError } from "../test/error-matchers.ts";
import { encodeMessage } from "./message-encode.ts";
import { readRecords } from "./record-reader.ts";

function record(fields: Readonly<Record<string, string>>): Buffer {
  const body = encodeMessage(fields);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let offset = 0;
  for (let turn = 0; offset < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

async function read(bytes: Buffer, sizes: readonly number[] = [7]): Promise<object[]> {
  const list: object[] = [];
  for await (const map of readRecords(cut(bytes, sizes))) list.push(Object.fromEntries(map));
  return list;
}

test("records come out as they went in, however they are cut", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "grapheme", maxLength: 50 }).map((path) => ({ path }))),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      async (records, sizes) => {
        assert.deepEqual(await read(Buffer.concat(records.map(record)), sizes), records);
      },
    ),
  ));

test("what is no stream of records is refused", async () => {
  const bad = guestError("GUEST_PROTOCOL");
  const right = record({ a: "b" });
  await assert.rejects(read(right.subarray(0, right.length - 1)), bad);
  await assert.rejects(read(Buffer.of(1, 0, 0)), bad);
  await assert.rejects(read(Buffer.of(0xff, 0xff, 0xff, 0xff)), bad);
  await assert.rejects(read(Buffer.of(0, 0, 0, 0)), bad);
  await assert.rejects(read(Buffer.of(1, 0, 0, 0, 0xc1)), bad);
});
