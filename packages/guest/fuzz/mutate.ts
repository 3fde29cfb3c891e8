import { type Frame, maxPayloadLength } from "../src/frame.ts";
import { welcomePrefix } from "../src/handshake.ts";
import { type CorpusEntry, framesOf, nonces, streamOf } from "./corpus.ts";
import type { Random } from "./random.ts";

/** Numbers at which parsers break. */
const edges = [
  0, 1, 15, 16, 24, 0x7f, 0x80, 0xff, 32_743, 32_744, 32_745, 32_768, 131_072, 0x7fff_ffff,
  0xffff_ffff,
];

/** A stream made from the corpus: damaged bytes, or right frames with damaged contents and order. */
export function mutate(random: Random, corpus: readonly CorpusEntry[]): Buffer {
  const entry = random.pick(corpus);
  if (random.below(10) === 0) return entry.stream;
  let bytes =
    random.below(3) === 0
      ? Buffer.from(entry.stream)
      : streamOf(
          mutateFrames(random, framesOf(entry.stream), framesOf(random.pick(corpus).stream)),
        );
  if (random.below(3) === 0) bytes = mutateBytes(random, bytes);
  return random.below(4) === 0 ? Buffer.concat([random.bytes(random.below(200)), bytes]) : bytes;
}

function mutateFrames(random: Random, frames: Frame[], others: readonly Frame[]): Frame[] {
  const result = [...frames];
  for (let turns = 1 + random.below(4); turns > 0; turns -= 1) {
    const at = random.below(result.length + 1);
    const frame = result[at];
    const choice = random.below(7);
    if (choice === 0) result.splice(at, 1);
    else if (choice === 1) result.splice(at, 0, random.pick(others));
    else if (choice === 2 && frame !== undefined)
      result.splice(at, 0, ...Array<Frame>(1 + random.below(8)).fill(frame));
    else if (choice === 3)
      result.splice(at, 0, { type: random.below(11), payload: randomPayload(random) });
    else if (choice === 4 && frame !== undefined)
      result[at] = { type: random.below(11), payload: frame.payload };
    else if (frame !== undefined) {
      const payload = mutateBytes(random, Buffer.from(frame.payload)).subarray(0, maxPayloadLength);
      result[at] = { type: frame.type, payload };
    }
  }
  return result;
}

function randomPayload(random: Random): Buffer {
  const length = random.below(4) === 0 ? random.pick(edges) : random.below(64);
  if (length > 64) return Buffer.alloc(Math.min(length, maxPayloadLength), random.below(3));
  return random.bytes(length);
}

/** Damages bytes at a few places. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let result = bytes;
  for (let turns = 1 + random.below(4); turns > 0; turns -= 1) {
    const at = random.below(result.length + 1);
    const end = Math.min(result.length, at + random.below(40));
    const cut = (middle: Buffer, from = end): Buffer =>
      Buffer.concat([result.subarray(0, at), middle, result.subarray(from)]);
    switch (random.below(7)) {
      case 0:
        result = cut(Buffer.alloc(0));
        break;
      case 1:
        result = cut(random.bytes(random.below(40)), at);
        break;
      case 2:
        result = cut(Buffer.concat([result.subarray(at, end), result.subarray(at, end)]));
        break;
      case 3:
        result = result.subarray(0, at);
        break;
      case 4:
        result = cut(Buffer.concat([welcomePrefix(nonces.host), nonces.guest]), at);
        break;
      case 5:
        if (at + 4 <= result.length) result.writeUInt32LE(random.pick(edges), at);
        break;
      default:
        if (at < result.length) result[at] = (result[at] ?? 0) ^ (1 << random.below(8));
    }
  }
  return result;
}

/** The stream in pieces of random sizes. */
export function split(random: Random, stream: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  // Not too many pieces, or the long streams take all of the time.
  const largest = Math.max(random.pick([1, 7, 40, 1_000, 65_536]), Math.ceil(stream.length / 200));
  for (let offset = 0; offset < stream.length;) {
    const end = offset + 1 + random.below(largest);
    pieces.push(stream.subarray(offset, end));
    offset = end;
  }
  return pieces;
}
