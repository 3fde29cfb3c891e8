/**
 * Writes `vectors.json` beside it: the golden vectors that the tests of both sides read.
 * Run: `node native/protocol/make-vectors.ts` (with `--check`: compares instead of writing).
 *
 * The encoder here is a third, deliberately plain one: it shares no code with the two sides that it tests.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { operationMessages, type Value } from "./operation-messages.ts";

const nonceH = "000102030405060708090a0b0c0d0e0f";
const nonceG = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
const zeros = "00".repeat(16);

const hexOf = (text: string): string => Buffer.from(text, "utf8").toString("hex");
const u8 = (value: number): string => value.toString(16).padStart(2, "0");
const be = (value: bigint, bytes: number): string =>
  BigInt.asUintN(bytes * 8, value)
    .toString(16)
    .padStart(bytes * 2, "0");
const le = (value: bigint, bytes: number): string =>
  Buffer.from(be(value, bytes), "hex").reverse().toString("hex");

function packLength(
  length: number,
  fix: [limit: number, base: number] | undefined,
  codes: readonly number[],
): string {
  if (fix !== undefined && length < fix[0]) return u8(fix[1] + length);
  const sized = codes.length === 3 ? [0x100, 0x1_0000, 0x1_0000_0000] : [0x1_0000, 0x1_0000_0000];
  const widths = codes.length === 3 ? [1, 2, 4] : [2, 4];
  const index = sized.findIndex((limit) => length < limit);
  return u8(codes[index] ?? 0) + be(BigInt(length), widths[index] ?? 0);
}

function packInt(value: number): string {
  const big = BigInt(value);
  if (value >= 0) {
    if (value < 0x80) return u8(value);
    if (value < 0x100) return `cc${be(big, 1)}`;
    if (value < 0x1_0000) return `cd${be(big, 2)}`;
    if (value < 0x1_0000_0000) return `ce${be(big, 4)}`;
    return `cf${be(big, 8)}`;
  }
  if (value >= -0x20) return be(big, 1);
  if (value >= -0x80) return `d0${be(big, 1)}`;
  if (value >= -0x8000) return `d1${be(big, 2)}`;
  if (value >= -0x8000_0000) return `d2${be(big, 4)}`;
  return `d3${be(big, 8)}`;
}

/** Shortest MessagePack of a value; `{ "$bin": hex }` stands for bytes. */
function pack(value: Value): string {
  if (value === null) return "c0";
  if (typeof value === "boolean") return value ? "c3" : "c2";
  if (typeof value === "number") return packInt(value);
  if (typeof value === "string") {
    const hex = hexOf(value);
    return packLength(hex.length / 2, [32, 0xa0], [0xd9, 0xda, 0xdb]) + hex;
  }
  if (Array.isArray(value)) {
    const items = value as readonly Value[];
    return packLength(items.length, [16, 0x90], [0xdc, 0xdd]) + items.map(pack).join("");
  }
  const map = value as { readonly [key: string]: Value };
  const bin = map["$bin"];
  if (typeof bin === "string")
    return packLength(bin.length / 2, undefined, [0xc4, 0xc5, 0xc6]) + bin;
  const entries = Object.entries(map);
  return (
    packLength(entries.length, [16, 0x80], [0xde, 0xdf]) +
    entries.map(([k, v]) => pack(k) + pack(v)).join("")
  );
}

const types = {
  REQUEST: 1,
  RESPONSE: 2,
  DATA: 3,
  EOF: 4,
  CREDIT: 5,
  END: 6,
  CONTROL: 7,
  EVENT: 8,
} as const;
type TypeName = keyof typeof types;
type Direction = "host" | "agent";

const vectors: Record<string, Value>[] = [];

function record(name: string, which: "hello" | "welcome" | "confirm", h: string, g: string): void {
  const letter = { hello: "H", welcome: "W", confirm: "C" }[which];
  vectors.push({
    name,
    kind: "handshake",
    hex: hexOf(`VIRGA/1${letter}`) + h + g,
    record: which,
    nonceH: h,
    nonceG: g,
  });
}

function firstTag(direction: Direction, h: string, g: string): bigint {
  const eight = direction === "host" ? g.slice(0, 16) : h.slice(16);
  return Buffer.from(eight, "hex").readBigUInt64LE(0) | 1n;
}

interface FrameOptions {
  readonly sequence?: bigint;
  readonly nonceH?: string;
  readonly nonceG?: string;
}

function frame(
  name: string,
  direction: Direction,
  type: TypeName,
  payload: string,
  options: FrameOptions = {},
): void {
  const { sequence = 0n, nonceH: h = nonceH, nonceG: g = nonceG } = options;
  const tag = firstTag(direction, h, g) + sequence;
  const hex =
    le(BigInt(payload.length / 2), 4) +
    le(BigInt(types[type]), 4) +
    le(tag, 8) +
    payload +
    le(~tag, 8);
  const meaning = { direction, nonceH: h, nonceG: g, sequence: sequence.toString(), type, payload };
  vectors.push({ name, kind: "frame", hex, ...meaning });
}

/** A frame that the receiver must refuse: as its first frame (`sequence` 0) in the given direction. */
function badFrame(name: string, direction: Direction, hex: string, bad: string): void {
  vectors.push({ name, kind: "frame", hex, direction, nonceH, nonceG, sequence: "0", bad });
}

function message(name: string, value: Value): void {
  vectors.push({ name, kind: "message", hex: pack(value), value });
}

function badMessage(name: string, hex: string, bad: string): void {
  vectors.push({ name, kind: "message", hex, bad });
}

record("hello", "hello", nonceH, zeros);
record("welcome", "welcome", nonceH, nonceG);
record("confirm", "confirm", nonceH, nonceG);
record("confirm of nonces with all bits set", "confirm", "ff".repeat(16), "ff".repeat(16));

const ping: Value = { op: "ping" };
frame("ping request", "host", "REQUEST", pack(ping));
frame("end, first frame of the agent", "agent", "END", "");
frame("data for stdin", "host", "DATA", `00${hexOf("hello\n")}`, { sequence: 1n });
frame("data without bytes", "host", "DATA", "00", { sequence: 2n });
frame("end of stdin", "host", "EOF", "00", { sequence: 3n });
frame("data of stdout", "agent", "DATA", `01${hexOf("hello\n")}`, { sequence: 1n });
frame("data of stderr, not text", "agent", "DATA", "02ff00fe", { sequence: 2n });
frame("end of stderr", "agent", "EOF", "02", { sequence: 3n });
frame("credit of the host", "host", "CREDIT", le(32_768n, 4), { sequence: 4n });
frame("credit of the agent", "agent", "CREDIT", le(131_072n, 4), { sequence: 4n });
frame("control", "host", "CONTROL", pack({ control: "signal", signal: 15 }), { sequence: 5n });
frame("event", "agent", "EVENT", pack({ event: "exit", code: 0 }), { sequence: 5n });
frame("response", "agent", "RESPONSE", pack({ ok: true }), { sequence: 0x1_0000_0000n });
frame("tag wraps to zero", "host", "REQUEST", pack(ping), {
  sequence: 1n,
  nonceG: "ff".repeat(16),
});
frame("bit 0 of the first tag is set", "host", "REQUEST", pack(ping), { nonceG: zeros });
frame("largest frame", "host", "DATA", "00" + "5a".repeat(32_743), { sequence: 6n });

{
  const tag = firstTag("host", nonceH, nonceG);
  const build = (
    length: number,
    type: number,
    payload: string,
    t: bigint,
    trailer: bigint,
  ): string => le(BigInt(length), 4) + le(BigInt(type), 4) + le(t, 8) + payload + le(trailer, 8);
  const body = pack(ping);
  const size = body.length / 2;
  badFrame("tag of the next frame", "host", build(size, 1, body, tag + 1n, ~(tag + 1n)), "tag");
  badFrame(
    "tag of the other direction",
    "host",
    build(size, 1, body, firstTag("agent", nonceH, nonceG), ~tag),
    "tag",
  );
  badFrame("trailer is the tag itself", "host", build(size, 1, body, tag, tag), "trailer");
  badFrame(
    "last byte of the trailer",
    "host",
    `${build(size, 1, body, tag, ~tag).slice(0, -2)}00`,
    "trailer",
  );
  badFrame("length 32745", "host", build(32_745, 3, "00", tag, ~tag), "length");
  badFrame("length 4294967295", "host", build(0xffff_ffff, 3, "00", tag, ~tag), "length");
  badFrame("type 0", "host", build(0, 0, "", tag, ~tag), "type");
  badFrame("type 9", "host", build(0, 9, "", tag, ~tag), "type");
  badFrame("response from the host", "host", build(size, 2, body, tag, ~tag), "direction");
  badFrame("end from the host", "host", build(0, 6, "", tag, ~tag), "direction");
  badFrame("event from the host", "host", build(size, 8, body, tag, ~tag), "direction");
  badFrame("data without a stream", "host", build(0, 3, "", tag, ~tag), "payload");
  badFrame("data of the host on stdout", "host", build(1, 3, "01", tag, ~tag), "stream");
  badFrame("eof of two bytes", "host", build(2, 4, "0000", tag, ~tag), "payload");
  badFrame("credit of three bytes", "host", build(3, 5, "000000", tag, ~tag), "payload");
  badFrame("credit beyond the window", "host", build(4, 5, "01000000", tag, ~tag), "credit");
  const back = firstTag("agent", nonceH, nonceG);
  badFrame("request from the agent", "agent", build(size, 1, body, back, ~back), "direction");
  badFrame("control from the agent", "agent", build(size, 7, body, back, ~back), "direction");
  badFrame("end with a payload", "agent", build(1, 6, "00", back, ~back), "payload");
  badFrame("data of the agent on stdin", "agent", build(1, 3, "00", back, ~back), "stream");
  badFrame("trailer of the agent wrong", "agent", build(0, 6, "", back, ~tag), "trailer");
}

for (const [name, value] of [
  ["nil", null],
  ["false", false],
  ["true", true],
  ["empty map", {}],
  ["empty array", []],
  ["empty str", ""],
] as const) {
  message(name, { v: value });
}
for (const int of [
  0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_991, -1,
  -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649, -9_007_199_254_740_991,
]) {
  message(`int ${int}`, { v: int });
}
for (const length of [1, 31, 32, 255, 256]) message(`str of ${length}`, { v: "s".repeat(length) });
for (const length of [0, 1, 255, 256])
  message(`bin of ${length}`, { v: { $bin: "a5".repeat(length) } });
for (const length of [15, 16])
  message(`array of ${length}`, { v: Array.from({ length }, (_, i) => i) });
for (const length of [15, 16]) {
  message(`map of ${length}`, Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i])));
}
message("str, many scripts", { v: "aé☂𝄞\u0000" });
message("nesting of eight", { a: [[[[[[[1]]]]]]] });

for (const [name, value] of operationMessages) message(name, value);

badMessage("nothing", "", "truncated");
badMessage("not a map", "c0", "not a map");
badMessage("an array at the top", "90", "not a map");
badMessage("map cut in its header", "de00", "truncated");
badMessage("map with too few entries", "82a16101", "truncated");
badMessage("map cut in a key", "81a361", "truncated");
badMessage("str cut", "81a161d9056162", "truncated");
badMessage("bin cut", "81a161c40400", "truncated");
badMessage("int cut", "81a161cf0000", "truncated");
badMessage("array that promises four billion", "81a161ddffffffff", "truncated");
badMessage("map that promises four billion", "dfffffffff", "truncated");
badMessage("bytes after the value", "8000", "trailing bytes");
badMessage("key is an int", "810102", "key");
badMessage("key is bin", "81c4016101", "key");
badMessage("float 32", "81a161ca3f800000", "type");
badMessage("float 64", "81a161cb3ff0000000000000", "type");
badMessage("ext", "81a161d40100", "type");
badMessage("never used byte", "81a161c1", "type");
badMessage("int 2^53", "81a161cf0020000000000000", "range");
badMessage("int -2^53", "81a161d3ffe0000000000000", "range");
badMessage("int 2^64-1", "81a161cfffffffffffffffff", "range");
badMessage("utf-8 cut", "81a161a2c3", "truncated");
badMessage("utf-8 lone continuation", "81a161a180", "utf-8");
badMessage("utf-8 overlong", "81a161a2c080", "utf-8");
badMessage("utf-8 surrogate", "81a161a3eda080", "utf-8");
badMessage("utf-8 beyond U+10FFFF", "81a161a4f4908080", "utf-8");
badMessage("utf-8 in a key", "81a1ff01", "utf-8");
badMessage("nesting of nine", pack({ a: [[[[[[[[1]]]]]]]] }), "nesting");

const path = new URL("vectors.json", import.meta.url);
const text = `[\n${vectors.map((vector) => `  ${JSON.stringify(vector)}`).join(",\n")}\n]\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(path, "utf8") !== text) {
    throw new Error(
      "native/protocol/vectors.json is stale: run node native/protocol/make-vectors.ts",
    );
  }
} else {
  writeFileSync(path, text);
}
