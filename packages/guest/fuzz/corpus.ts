import { readdirSync, readFileSync } from "node:fs";
import { type Frame, FrameDecoder, FrameEncoder } from "../src/frame.ts";
import { firstTagFromGuest, handshakeRecordLength, welcomePrefix } from "../src/handshake.ts";

/** The nonces that all streams of the corpus were made with. */
export const nonces = {
  host: Buffer.from("0123456789abcdef"),
  guest: Buffer.from("fedcba9876543210"),
} as const;

const folder = new URL("corpus/", import.meta.url);

/** What an agent sends on one connection, from its first byte on. */
export interface CorpusEntry {
  readonly name: string;
  readonly stream: Buffer;
}

/** The seed streams: hexadecimal digits in `corpus/NAME.hex`. */
export function readCorpus(): CorpusEntry[] {
  return readdirSync(folder)
    .toSorted()
    .map((name) => ({
      name,
      stream: Buffer.from(readFileSync(new URL(name, folder), "utf8").replaceAll(/\s/g, ""), "hex"),
    }));
}

/** The frames of a right stream. */
export function framesOf(stream: Buffer): Frame[] {
  const start = stream.indexOf(welcomePrefix(nonces.host)) + handshakeRecordLength;
  const decoder = new FrameDecoder(firstTagFromGuest(nonces.host), {
    prefix: welcomePrefix(nonces.host),
    length: handshakeRecordLength,
  });
  return [...decoder.decode(stream.subarray(start))];
}

/** A stream that consists of a welcome and these frames, with right tags. */
export function streamOf(frames: readonly Frame[]): Buffer {
  const encoder = new FrameEncoder(firstTagFromGuest(nonces.host));
  return Buffer.concat([
    welcomePrefix(nonces.host),
    nonces.guest,
    ...frames.map(({ type, payload }) => encoder.encode(type, payload)),
  ]);
}
