// Reads the golden vectors for the tests of both sides.
import { readFileSync } from "node:fs";

/** One entry of `vectors.json`; which fields are there depends on `kind` (PROTOCOL.md, section 6). */
export interface Vector {
  readonly name: string;
  readonly kind: "handshake" | "frame" | "message";
  readonly hex: string;
  /** Why the bytes must be refused. */
  readonly bad?: string;
  readonly record?: "hello" | "welcome" | "confirm";
  readonly nonceH?: string;
  readonly nonceG?: string;
  readonly direction?: "host" | "agent";
  readonly sequence?: string;
  readonly type?: string;
  readonly payload?: string;
  readonly value?: unknown;
}

const frameTypes = [
  "",
  "REQUEST",
  "RESPONSE",
  "DATA",
  "EOF",
  "CREDIT",
  "END",
  "CONTROL",
  "EVENT",
] as const;

/** The golden vectors of one kind. */
export function readVectors(kind: Vector["kind"]): Vector[] {
  const text = readFileSync(new URL("vectors.json", import.meta.url), "utf8");
  const chosen = (JSON.parse(text) as Vector[]).filter((vector) => vector.kind === kind);
  if (chosen.length === 0) throw new Error(`no golden vectors of kind ${kind}`);
  return chosen;
}

/** Bytes from hexadecimal digits, of which a vector that has none is at fault. */
export function bytesOf(hex: string | undefined): Buffer {
  if (hex === undefined) throw new Error("a vector without its bytes");
  return Buffer.from(hex, "hex");
}

/** The number of a frame type's name. */
export function frameType(name: string | undefined): number {
  const type = frameTypes.indexOf(name as (typeof frameTypes)[number]);
  if (type < 1) throw new Error(`no frame type ${name}`);
  return type;
}

/** The tag of a vector's frame. */
export function tagOf({ direction, nonceH, nonceG, sequence }: Vector): bigint {
  const eight = direction === "host" ? nonceG?.slice(0, 16) : nonceH?.slice(16);
  if (eight === undefined || sequence === undefined) throw new Error("a frame without its session");
  const first = Buffer.from(eight, "hex").readBigUInt64LE(0) | 1n;
  return BigInt.asUintN(64, first + BigInt(sequence));
}
