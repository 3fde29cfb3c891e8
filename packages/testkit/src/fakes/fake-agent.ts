import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { readMessage } from "./read-message.ts";
import type { MessageValue } from "./read-message.ts";

/** What the agent of a fake guest knows, and so what snapshots carry. */
export interface AgentContent {
  /** Frozen for a snapshot. */
  prepared: boolean;
  /** Told who it is. */
  initialised: boolean;
}

/** The guest that an agent is in. */
export interface AgentSurroundings {
  /** Resolves while the VM runs. */
  untilRunning(): Promise<void>;
  readonly content: AgentContent;
  /** To be called when the content has changed. */
  store(): void;
  /** Does what a command line says, and gives the line that a program would write: `ok …`, or `error …`. */
  run(commandLine: string): string;
}

const RECORD_BYTES = 40;
const HEADER_BYTES = 16;
const OVERHEAD_BYTES = 24;
const REQUEST = 1;
const RESPONSE = 2;
const DATA = 3;
const EOF = 4;
const END = 6;
const EVENT = 8;
const STDOUT = 1;
const STDERR = 2;

/** Whether a connection's first bytes are meant for the agent: a hello, or the zeros before a repeated one. */
export function isForAgent(bytes: Buffer): boolean {
  return bytes[0] === 0 || bytes.subarray(0, 7).toString("latin1") === "VIRGA/1";
}

/**
 * Serves one connection as the agent does, as far as a sandbox's life needs it: `ping`, `init`, `prepare`, `thaw`, `sync`, and `exec` of the requests that the guest
 * answers, as programs that end at once. Whatever else is asked for, or is no right frame, ends the connection. Written against PROTOCOL.md, and not with the host's side of it.
 */
export function serveAgent(stream: Duplex, around: AgentSurroundings, pending: Buffer): void {
  const guestNonce = randomBytes(16);
  let bytes = pending;
  let hostNonce: Buffer | undefined;
  let tags: { in: bigint; out: bigint } | undefined;
  let last: Promise<void> = Promise.resolve();
  const send = (data: Buffer): void => {
    last = last.then(async () => {
      await around.untilRunning();
      if (!stream.destroyed) stream.write(data);
    });
  };
  const frame = (type: number, payload: Buffer): Buffer => {
    if (tags === undefined) throw new Error("a frame before the handshake");
    const whole = Buffer.alloc(payload.length + OVERHEAD_BYTES);
    whole.writeUInt32LE(payload.length, 0);
    whole.writeUInt32LE(type, 4);
    whole.writeBigUInt64LE(tags.out, 8);
    payload.copy(whole, HEADER_BYTES);
    whole.writeBigUInt64LE(BigInt.asUintN(64, ~tags.out), HEADER_BYTES + payload.length);
    tags.out = BigInt.asUintN(64, tags.out + 1n);
    return whole;
  };
  const answer = (payload: Buffer): void => {
    last = last.then(async () => {
      await around.untilRunning();
      const frames = perform(readMessage(payload), around);
      if (frames === undefined) stream.destroy();
      else stream.write(Buffer.concat(frames.map(([type, content]) => frame(type, content))));
    });
  };
  const shakeHands = (): boolean => {
    const start = bytes.indexOf("VIRGA/1");
    if (start < 0 || bytes.length < start + RECORD_BYTES) return false;
    const record = bytes.subarray(start, start + RECORD_BYTES);
    bytes = bytes.subarray(start + RECORD_BYTES);
    if (record[7] === "H".charCodeAt(0)) {
      hostNonce = Buffer.from(record.subarray(8, 24));
      send(Buffer.concat([Buffer.from("VIRGA/1W"), hostNonce, guestNonce]));
    } else if (hostNonce !== undefined) {
      tags = { in: guestNonce.readBigUInt64LE(0) | 1n, out: hostNonce.readBigUInt64LE(8) | 1n };
    }
    return true;
  };
  const takeFrame = (): boolean => {
    if (tags === undefined || bytes.length < HEADER_BYTES) return false;
    const length = bytes.readUInt32LE(0);
    if (bytes.readBigUInt64LE(8) !== tags.in) {
      stream.destroy();
      return false;
    }
    if (bytes.length < length + OVERHEAD_BYTES) return false;
    const type = bytes.readUInt32LE(4);
    const payload = Buffer.from(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length));
    bytes = bytes.subarray(length + OVERHEAD_BYTES);
    tags.in = BigInt.asUintN(64, tags.in + 1n);
    if (type === REQUEST) answer(payload);
    return true;
  };
  const take = (): void => {
    while (tags === undefined ? shakeHands() : takeFrame());
  };
  stream.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    take();
  });
  take();
}

type Fields = Readonly<Record<string, boolean | number | string>>;
type Frames = readonly (readonly [type: number, content: Buffer])[];

const NOTHING = Buffer.alloc(0);

/** What is sent for a request; undefined for what this agent cannot do. */
function perform(request: MessageValue, around: AgentSurroundings): Frames | undefined {
  const { op, argv } = request as { readonly op?: unknown; readonly argv?: unknown };
  if (op === "exec" && Array.isArray(argv)) return exec(argv.join(" "), around);
  const fields = change(String(op), around);
  if (fields === undefined) return undefined;
  return [
    [RESPONSE, mapOf(fields)],
    [END, NOTHING],
  ];
}

function exec(commandLine: string, around: AgentSurroundings): Frames {
  if (around.content.prepared) {
    const busy = { ok: false, code: "BUSY", message: "it is frozen" };
    return [
      [RESPONSE, mapOf(busy)],
      [END, NOTHING],
    ];
  }
  const line = around.run(commandLine);
  const isDone = line.startsWith("ok");
  const text = Buffer.from(`${line.replace(/^ok ?/u, "")}\n`, "latin1");
  return [
    [RESPONSE, mapOf({ ok: true, pid: 1 })],
    [DATA, Buffer.concat([Buffer.of(isDone ? STDOUT : STDERR), text])],
    [EOF, Buffer.of(STDOUT)],
    [EOF, Buffer.of(STDERR)],
    [EVENT, mapOf({ event: "exit", code: isDone ? 0 : 1 })],
    [END, NOTHING],
  ];
}

/** The answer to a request that has no more to it. */
function change(operation: string, around: AgentSurroundings): Fields | undefined {
  const { content } = around;
  switch (operation) {
    case "ping":
      return { ok: true, version: 1, agent: "fake", bootMs: 1, ...content };
    case "init":
      content.initialised = true;
      content.prepared = false;
      break;
    case "prepare":
      content.prepared = true;
      break;
    case "thaw":
      content.prepared = false;
      break;
    case "sync":
      break;
    default:
      return undefined;
  }
  around.store();
  return { ok: true };
}

/** MessagePack of a small map. */
function mapOf(fields: Fields): Buffer {
  const entries = Object.entries(fields);
  const parts = entries.flatMap(([key, value]) => [shortText(key), valueOf(value)]);
  return Buffer.concat([Buffer.of(0x80 + entries.length), ...parts]);
}

function valueOf(value: boolean | number | string): Buffer {
  if (typeof value === "string") return shortText(value);
  return Buffer.of(typeof value === "number" ? value & 0x7f : value ? 0xc3 : 0xc2);
}

function shortText(text: string): Buffer {
  return Buffer.concat([Buffer.of(0xa0 + text.length), Buffer.from(text, "latin1")]);
}
