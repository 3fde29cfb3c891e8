import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type Duplex, duplexPair } from "node:stream";
import { type Frame, FrameDecoder, FrameEncoder, frameTypes } from "../src/frame.ts";
import { firstTagFromGuest, firstTagToGuest } from "../src/handshake.ts";
import { decodeMessage } from "../src/message-decode.ts";
import { encodeMessage } from "../src/message-encode.ts";
import type { MessageFields, MessageMap } from "../src/message.ts";
import type { Connect } from "../src/open-session.ts";

const recordLength = 40;

/** The agent's side of one connection, driven by a test step by step. It sends whatever it is told, right or wrong. */
export class FakeAgent {
  readonly stream: Duplex;
  readonly frames: Frame[] = [];
  /** Hellos seen so far. */
  hellos = 0;
  /** Bytes that stood before a hello. */
  dropped = Buffer.alloc(0);
  #bytes = Buffer.alloc(0);
  #hostNonce = Buffer.alloc(16);
  #guestNonce = randomBytes(16);
  #encoder: FrameEncoder | undefined;
  #decoder: FrameDecoder | undefined;
  #wake = Promise.withResolvers<void>();
  #ended = false;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("end", () => {
      this.#ended = true;
      stream.end();
      this.#wake.resolve();
    });
    stream.on("close", () => {
      this.#ended = true;
      this.#wake.resolve();
    });
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Waits for a hello and answers it. */
  async welcome(): Promise<void> {
    await this.hello();
    this.sendWelcome();
  }

  /** Waits for a hello. */
  async hello(): Promise<void> {
    await this.until(() => this.hellos > 0);
  }

  /** Sends the welcome, also a second time. */
  sendWelcome(): void {
    this.#encoder ??= new FrameEncoder(firstTagFromGuest(this.#hostNonce));
    this.raw(Buffer.concat([Buffer.from("VIRGA/1W"), this.#hostNonce, this.#guestNonce]));
  }

  /** The next frame of the host's that is not CREDIT. */
  async next(): Promise<Frame> {
    await this.until(() => this.frames.length > 0);
    const frame = this.frames.shift();
    if (frame === undefined) throw new Error("no frame");
    return frame;
  }

  /** The next frame, which must be a REQUEST. */
  async request(): Promise<MessageMap> {
    const frame = await this.next();
    if (frame.type !== frameTypes.request) throw new Error(`frame of type ${frame.type}`);
    return decodeMessage(frame.payload);
  }

  /** Welcome, REQUEST, RESPONSE and END: a whole operation. */
  async answer(fields: MessageFields): Promise<MessageMap> {
    const request = await this.request();
    this.respond(fields);
    this.send(frameTypes.end);
    return request;
  }

  respond(fields: MessageFields): void {
    this.message(frameTypes.response, fields);
  }

  event(fields: MessageFields): void {
    this.message(frameTypes.event, fields);
  }

  message(type: number, fields: MessageFields): void {
    this.send(type, encodeMessage(fields));
  }

  data(streamId: number, bytes: Uint8Array | string): void {
    this.send(frameTypes.data, Uint8Array.of(streamId), Buffer.from(bytes));
  }

  eof(streamId: number): void {
    this.send(frameTypes.eof, Uint8Array.of(streamId));
  }

  credit(bytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(bytes);
    this.send(frameTypes.credit, payload);
  }

  send(type: number, ...parts: readonly Uint8Array[]): void {
    this.raw(this.frame(type, ...parts));
  }

  /** The next frame, to be sent by {@link raw} together with others. */
  frame(type: number, ...parts: readonly Uint8Array[]): Buffer {
    if (this.#encoder === undefined) throw new Error("a frame before the welcome");
    return this.#encoder.encode(type, ...parts);
  }

  raw(bytes: Uint8Array): void {
    this.stream.write(bytes);
  }

  /** Ends the connection as a dead agent does. */
  hangUp(): void {
    this.stream.destroy();
  }

  /** Credit that the host has returned so far, in bytes. */
  returned = 0;

  /** Waits for something that incoming bytes bring about. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#ended) throw new Error("the host hung up");
      await this.#wake.promise;
    }
  }

  /** Waits until the host has closed its side. */
  async closed(): Promise<void> {
    while (!this.#ended) await this.#wake.promise;
    if (!this.stream.closed) await once(this.stream, "close");
  }

  #take(chunk: Buffer): void {
    if (this.#decoder === undefined) this.#scan(chunk);
    else this.#decode(chunk);
    const wake = this.#wake;
    this.#wake = Promise.withResolvers();
    wake.resolve();
  }

  #scan(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const start = this.#bytes.indexOf("VIRGA/1");
      if (start < 0 || this.#bytes.length < start + recordLength) return;
      this.dropped = Buffer.concat([this.dropped, this.#bytes.subarray(0, start)]);
      const record = this.#bytes.subarray(start, start + recordLength);
      this.#bytes = this.#bytes.subarray(start + recordLength);
      if (record[7] === "H".charCodeAt(0)) {
        this.#hostNonce = Buffer.from(record.subarray(8, 24));
        this.hellos += 1;
      } else {
        const rest = this.#bytes;
        const prefix = Buffer.concat([Buffer.from("VIRGA/1H"), this.#hostNonce]);
        this.#decoder = new FrameDecoder(firstTagToGuest(this.#guestNonce), {
          prefix,
          length: recordLength,
        });
        this.#decode(rest);
        return;
      }
    }
  }

  #decode(bytes: Buffer): void {
    for (const frame of this.#decoder?.decode(bytes) ?? []) {
      if (frame.type === frameTypes.credit) this.returned += frame.payload.readUInt32LE();
      else this.frames.push(frame);
    }
  }
}

/** What {@link fakeGuest} gives. */
export interface FakeGuest {
  readonly connect: Connect;
  /** One for each connection that was opened. */
  readonly agents: FakeAgent[];
  /** What went wrong in the scripts; rejects so that a test sees it. */
  readonly done: () => Promise<void>;
}

/** A guest whose agent runs `script` on each connection. */
export function fakeGuest(script: (agent: FakeAgent, index: number) => Promise<void>): FakeGuest {
  const agents: FakeAgent[] = [];
  const running: Promise<void>[] = [];
  return {
    agents,
    connect: () => {
      const [host, guest] = duplexPair();
      const agent = new FakeAgent(guest);
      const run = script(agent, agents.length);
      run.catch(() => {});
      agents.push(agent);
      running.push(run);
      return Promise.resolve(host);
    },
    done: async () => {
      await Promise.all(running);
    },
  };
}
