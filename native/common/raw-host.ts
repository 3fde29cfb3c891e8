// A host that writes any bytes, for the tests of the guest's channel: test-init over a socket pair, under sanitizers.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { frameType } from "../protocol/read-vectors.ts";

const overhead = 24;

/** A frame of the agent. */
export interface RawFrame {
  readonly type: number;
  readonly payload: Buffer;
}

/** One record of the handshake. */
export function record(
  letter: "H" | "W" | "C",
  nonceH: Buffer,
  nonceG: Buffer = Buffer.alloc(16),
): Buffer {
  return Buffer.concat([Buffer.from(`VIRGA/1${letter}`), nonceH, nonceG]);
}

/** A program with `--fd 3`, and what it sent. Ends with its test. */
export class RawHost {
  readonly child: ChildProcess;
  readonly stream: Duplex;
  #received: Buffer = Buffer.alloc(0);
  #sendTag = 0n;
  #receiveTag = 0n;
  #nonceH: Buffer = Buffer.alloc(16);
  #nonceG: Buffer = Buffer.alloc(16);

  constructor(t: TestContext, program: string) {
    this.child = spawn(program, ["--fd", "3"], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
    this.stream = this.child.stdio[3] as unknown as Duplex;
    this.stream.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.stream.emit("more");
    });
    this.stream.on("error", () => {});
    const exit = once(this.child, "exit");
    t.after(async () => {
      this.stream.destroy();
      assert.deepEqual(await exit, [0, null], "the program ends by itself and without a fault");
    });
  }

  /** Bytes that came and were not taken. */
  get waiting(): number {
    return this.#received.length;
  }

  write(...parts: readonly Buffer[]): void {
    this.stream.write(Buffer.concat(parts));
  }

  /** Waits for so many bytes and takes them. */
  async take(length: number): Promise<Buffer> {
    while (this.#received.length < length) await once(this.stream, "more");
    const bytes = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return bytes;
  }

  /** Takes what comes up to and with the welcome for this nonce; gives the agent's nonce. */
  async welcome(nonceH: Buffer): Promise<Buffer> {
    const start = Buffer.concat([Buffer.from("VIRGA/1W"), nonceH]);
    for (;;) {
      const at = this.#received.indexOf(start);
      if (at >= 0 && this.#received.length >= at + 40) {
        await this.take(at);
        return (await this.take(40)).subarray(24);
      }
      await once(this.stream, "more");
    }
  }

  /** The confirm; frames count from here. */
  confirm(nonceH: Buffer, nonceG: Buffer): Buffer {
    this.#nonceH = nonceH;
    this.#nonceG = nonceG;
    this.#sendTag = nonceG.readBigUInt64LE(0) | 1n;
    this.#receiveTag = nonceH.readBigUInt64LE(8) | 1n;
    return record("C", this.#nonceH, this.#nonceG);
  }

  /** Does the handshake. */
  async open(nonceH: Buffer): Promise<void> {
    this.write(record("H", nonceH));
    this.write(this.confirm(nonceH, await this.welcome(nonceH)));
  }

  /** A right frame, the next in turn. */
  frame(type: string, payload: Buffer | string = ""): Buffer {
    const body = Buffer.from(payload);
    const bytes = Buffer.alloc(overhead + body.length);
    bytes.writeUInt32LE(body.length, 0);
    bytes.writeUInt32LE(frameType(type), 4);
    bytes.writeBigUInt64LE(this.#sendTag, 8);
    body.copy(bytes, 16);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, ~this.#sendTag), 16 + body.length);
    this.#sendTag = BigInt.asUintN(64, this.#sendTag + 1n);
    return bytes;
  }

  /** Takes the agent's next frame, which must be right. */
  async next(): Promise<RawFrame> {
    const head = await this.take(16);
    assert.equal(head.readBigUInt64LE(8), this.#receiveTag);
    const rest = await this.take(head.readUInt32LE(0) + 8);
    const payload = rest.subarray(0, -8);
    assert.equal(rest.readBigUInt64LE(payload.length), BigInt.asUintN(64, ~this.#receiveTag));
    this.#receiveTag = BigInt.asUintN(64, this.#receiveTag + 1n);
    return { type: head.readUInt32LE(4), payload };
  }

  /** Takes a response and its END. */
  async answer(): Promise<string> {
    const response = await this.next();
    assert.equal(response.type, frameType("RESPONSE"));
    const end = await this.next();
    assert.deepEqual([end.type, end.payload.length], [frameType("END"), 0]);
    return response.payload.toString("latin1");
  }
}
