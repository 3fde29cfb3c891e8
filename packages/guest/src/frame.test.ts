import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { guestError } from "../test/error-matchers.ts";
import { bytesOf, type Vector, readVectors } from "../../../native/protocol/read-vectors.ts";
import { isGuestError } from "./errors.ts";
import { type Frame, FrameDecoder, FrameEncoder, frameTypes, maxPayloadLength } from "./frame.ts";
import {
  firstTagFromGuest,
  firstTagToGuest,
  handshakeRecordLength,
  welcomePrefix,
} from "./handshake.ts";

const hostNonce = Buffer.from("0123456789abcdef");
const welcome = Buffer.concat([welcomePrefix(hostNonce), Buffer.alloc(16, 7)]);
const prefix = { prefix: welcomePrefix(hostNonce), length: handshakeRecordLength };
const firstTag = 0xffff_ffff_ffff_fff1n;

function tagOf(vector: Vector): bigint {
  const first =
    vector.direction === "host"
      ? firstTagToGuest(bytesOf(vector.nonceG))
      : firstTagFromGuest(bytesOf(vector.nonceH));
  return BigInt.asUintN(64, first + BigInt(vector.sequence ?? 0));
}

function decodeAll(decoder: FrameDecoder, ...chunks: Buffer[]): Frame[] {
  return chunks.flatMap((chunk) => [...decoder.decode(chunk)]);
}

for (const vector of readVectors("frame").filter(({ bad }) => bad === undefined)) {
  test(`encodes and decodes the golden vector "${vector.name}"`, () => {
    const type = frameTypes[(vector.type ?? "").toLowerCase() as keyof typeof frameTypes];
    const payload = bytesOf(vector.payload);
    assert.equal(new FrameEncoder(tagOf(vector)).encode(type, payload).toString("hex"), vector.hex);
    const decoder = new FrameDecoder(tagOf(vector), prefix);
    assert.deepEqual(decodeAll(decoder, bytesOf(vector.hex)), [{ type, payload }]);
  });
}

// Types, directions and payloads are the session's to judge; its test takes the other bad vectors.
for (const vector of readVectors("frame").filter(({ bad = "" }) =>
  ["tag", "trailer", "length"].includes(bad),
)) {
  test(`refuses the golden vector "${vector.name}"`, () => {
    const decoder = new FrameDecoder(tagOf(vector), prefix);
    assert.throws(
      () => decodeAll(decoder, bytesOf(vector.hex)),
      guestError(
        "GUEST_PROTOCOL",
        vector.bad === "length" ? /a frame of \d+ bytes/ : new RegExp(vector.bad ?? ""),
      ),
    );
  });
}

test("a payload beyond the limit is not encoded", () => {
  const encoder = new FrameEncoder(1n);
  assert.equal(encoder.encode(3, Buffer.alloc(maxPayloadLength)).length, 32_768);
  assert.throws(
    () => encoder.encode(3, Buffer.alloc(maxPayloadLength), Buffer.alloc(1)),
    RangeError,
  );
});

test("a late welcome is dropped between frames only", () => {
  const encoder = new FrameEncoder(firstTag);
  const one = encoder.encode(2, Buffer.from("one"));
  const two = encoder.encode(2, Buffer.from("two"));
  const frames = decodeAll(
    new FrameDecoder(firstTag, prefix),
    Buffer.concat([welcome, one, welcome, welcome, two]),
  );
  assert.deepEqual(
    frames.map(({ payload }) => payload.toString()),
    ["one", "two"],
  );
  assert.throws(
    () =>
      decodeAll(
        new FrameDecoder(firstTag, prefix),
        Buffer.concat([one.subarray(0, 20), welcome, one.subarray(20)]),
      ),
    guestError("GUEST_PROTOCOL", /trailer/),
  );
});

test("a welcome for another hello is refused at its first wrong byte", () => {
  const other = Buffer.from(welcome);
  other[8] = (other[8] ?? 0) ^ 1;
  const decoder = new FrameDecoder(firstTag, prefix);
  assert.deepEqual(decodeAll(decoder, other.subarray(0, 8)), []);
  assert.throws(() => decodeAll(decoder, other.subarray(8, 9)), guestError("GUEST_PROTOCOL"));
});

test("a wrong header is refused before its payload comes", () => {
  const frame = new FrameEncoder(firstTag + 1n).encode(3, Buffer.alloc(1_000));
  assert.throws(
    () => decodeAll(new FrameDecoder(firstTag, prefix), frame.subarray(0, 16)),
    guestError("GUEST_PROTOCOL", /tag/),
  );
  assert.throws(
    () =>
      decodeAll(
        new FrameDecoder(firstTag, prefix),
        Buffer.from("ff", "hex"),
        Buffer.from("ffffff", "hex"),
      ),
    guestError("GUEST_PROTOCOL", /a frame of 4294967295 bytes/),
  );
});

const someFrames = fc.array(
  fc.record({
    type: fc.integer({ min: 0, max: 0xffff_ffff }),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .integer({ min: 0, max: maxPayloadLength })
        .map((length) => new Uint8Array(length).fill(length)),
    ),
    welcomeBefore: fc.boolean(),
  }),
  { maxLength: 8 },
);
const someSizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 70_000 })),
  {
    minLength: 1,
    maxLength: 20,
  },
);

function streamOf(
  frames: readonly { type: number; payload: Uint8Array; welcomeBefore: boolean }[],
): Buffer {
  const encoder = new FrameEncoder(firstTag);
  return Buffer.concat(
    frames.flatMap(({ type, payload, welcomeBefore }) => [
      ...(welcomeBefore ? [welcome] : []),
      encoder.encode(type, payload),
    ]),
  );
}

/** The stream in pieces of these sizes, over and over. */
function* piecesOf(stream: Buffer, sizes: readonly number[]): Generator<Buffer, void, undefined> {
  for (let offset = 0, turn = 0; offset < stream.length; turn += 1) {
    const end = offset + (sizes[turn % sizes.length] ?? 1);
    yield stream.subarray(offset, end);
    offset = end;
  }
}

test("however the stream is split, the same frames come out", () => {
  fc.assert(
    fc.property(someFrames, someSizes, (frames, sizes) => {
      const decoder = new FrameDecoder(firstTag, prefix);
      const decoded: Frame[] = [];
      for (const piece of piecesOf(streamOf(frames), sizes)) {
        decoded.push(...decoder.decode(piece));
        assert.ok(decoder.pendingLength <= 32_768);
      }
      assert.equal(decoder.pendingLength, 0);
      assert.deepEqual(
        decoded.map(({ type, payload }) => ({ type, payload: payload.toString("hex") })),
        frames.map(({ type, payload }) => ({
          type,
          payload: Buffer.from(payload).toString("hex"),
        })),
      );
    }),
    { numRuns: 300 },
  );
});

test("a damaged stream yields frames that were sent, in order, and nothing else", () => {
  const damage = fc.array(
    fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("flip", "drop", "double"),
      bit: fc.nat({ max: 7 }),
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(someFrames, someSizes, damage, (frames, sizes, damages) => {
      let stream = streamOf(frames);
      for (const { at, kind, bit } of damages) {
        if (stream.length === 0) break;
        const index = at % stream.length;
        const byte = stream.subarray(index, index + 1);
        if (kind === "flip") byte[0] = (byte[0] ?? 0) ^ (1 << bit);
        else if (kind === "drop")
          stream = Buffer.concat([stream.subarray(0, index), stream.subarray(index + 1)]);
        else stream = Buffer.concat([stream.subarray(0, index), byte, stream.subarray(index)]);
      }
      const decoder = new FrameDecoder(firstTag, prefix);
      const decoded: Frame[] = [];
      try {
        for (const piece of piecesOf(stream, sizes)) {
          for (const frame of decoder.decode(piece)) decoded.push(frame);
          assert.ok(decoder.pendingLength <= 32_768);
        }
      } catch (error) {
        if (!isGuestError(error)) throw error;
      }
      assert.ok(decoded.length <= frames.length);
      // Tag and trailer frame a payload; they are no checksum of it, so only its length is certain.
      decoded.forEach((frame, index) => {
        assert.equal(frame.payload.length, frames[index]?.payload.length);
      });
    }),
    { numRuns: 300 },
  );
});
