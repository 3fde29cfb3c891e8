import type { Connection } from "./connection.ts";
import { costOf, ReceiveCredit, SendCredit } from "./credit.ts";
import { GuestError, type GuestErrorDetails, isGuestError } from "./errors.ts";
import {
  type Frame,
  FrameDecoder,
  FrameEncoder,
  frameTypes,
  maxPayloadLength,
  streamIds,
} from "./frame.ts";
import {
  confirmRecord,
  firstTagFromGuest,
  firstTagToGuest,
  handshakeRecordLength,
  type Welcome,
  welcomePrefix,
} from "./handshake.ts";
import { decodeMessage } from "./message-decode.ts";
import type { MessageMap } from "./message.ts";

/** Takes what the agent sends for one operation. What it throws ends the session. */
export interface OperationHandler {
  /** Exactly once, before everything else. */
  onResponse(response: MessageMap): void;
  /** Bytes of a stream; `consumed(cost)` of the session must be called once they are handed on. */
  onData(stream: number, bytes: Buffer, cost: number): void;
  onEof(stream: number): void;
  onEvent(event: MessageMap): void;
  /** The operation is over, the session is free. */
  onEnd(): void;
  /** The session ended first; nothing more is called. */
  onLost(error: GuestError): void;
}

interface Operation {
  readonly op: string;
  readonly handler: OperationHandler;
  phase: "requested" | "answered" | "refused";
  /** Streams whose EOF came. */
  readonly ended: Set<number>;
}

/** An established connection: frames, credit both ways, one operation at a time. Reads always. */
export class Session {
  readonly #connection: Connection;
  readonly #encoder: FrameEncoder;
  readonly #decoder: FrameDecoder;
  readonly #sendCredit = new SendCredit();
  readonly #receiveCredit = new ReceiveCredit();
  /** Goes out with the first frame. */
  #confirm: Buffer | undefined;
  #operation: Operation | undefined;
  #open = true;

  constructor(connection: Connection, welcome: Welcome) {
    this.#connection = connection;
    this.#confirm = confirmRecord(welcome.hostNonce, welcome.guestNonce);
    this.#encoder = new FrameEncoder(firstTagToGuest(welcome.guestNonce));
    this.#decoder = new FrameDecoder(firstTagFromGuest(welcome.hostNonce), {
      prefix: welcomePrefix(welcome.hostNonce),
      length: handshakeRecordLength,
    });
    if (welcome.rest.length > 0) this.#onBytes(welcome.rest);
    connection.receive({
      onBytes: (bytes) => this.#onBytes(bytes),
      onGone: (cause) => this.#fail(lostError("was lost", cause)),
    });
  }

  /** Whether another operation can begin: open, none under way, nothing of an earlier one unread. */
  get isIdle(): boolean {
    return (
      this.#open &&
      this.#connection.isOpen &&
      this.#operation === undefined &&
      this.#receiveCredit.unconsumed === 0
    );
  }

  /** Sends the request of operation `op`; everything that follows goes to `handler`. */
  begin(op: string, request: Uint8Array, handler: OperationHandler): void {
    if (this.#operation !== undefined) throw new Error("an operation is under way");
    if (!this.#open || !this.#connection.isOpen) {
      handler.onLost(lostError("is closed", undefined, { op, outcome: "not-started" }));
      return;
    }
    this.#operation = { op, handler, phase: "requested", ended: new Set() };
    void this.#send(frameTypes.request, request);
  }

  /**
   * Sends bytes on a stream of the running operation as credit allows. One call at a time per session.
   * Resolves when all are sent, or when the operation is over and the rest is of no use.
   */
  async sendData(stream: number, bytes: Uint8Array): Promise<void> {
    const operation = this.#operation;
    const largest = maxPayloadLength - 1;
    for (let offset = 0; offset < bytes.length && operation !== undefined; offset += largest) {
      const part = bytes.subarray(offset, offset + largest);
      if (!(await this.#sendCredit.take(costOf(1 + part.length)))) return;
      if (this.#operation !== operation) return;
      void this.#send(frameTypes.data, Uint8Array.of(stream), part);
    }
  }

  /** Sends the end of a stream of the running operation, as {@link sendData}. */
  async sendEof(stream: number): Promise<void> {
    const operation = this.#operation;
    if (operation === undefined || !(await this.#sendCredit.take(costOf(1)))) return;
    if (this.#operation === operation) void this.#send(frameTypes.eof, Uint8Array.of(stream));
  }

  /** Sends something to do to the running operation; resolves when it left this process. Nothing happens when there is none. */
  async sendControl(control: Uint8Array): Promise<void> {
    if (this.#operation !== undefined) await this.#send(frameTypes.control, control);
  }

  /** Notes that bytes of `cost` were handed on, and returns the credit for them. */
  consumed(cost: number): void {
    const credit = this.#receiveCredit.consume(cost);
    if (credit === 0) return;
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32LE(credit);
    void this.#send(frameTypes.credit, payload);
  }

  /** See {@link Connection.holdProcess}. */
  holdProcess(hold: boolean): void {
    this.#connection.holdProcess(hold);
  }

  /** Ends the session; a running operation is told `error`. Resolves when the connection is closed. */
  close(error: GuestError = lostError("was closed")): Promise<void> {
    this.#fail(error);
    return this.#connection.close();
  }

  #send(type: number, ...parts: readonly Uint8Array[]): Promise<void> {
    if (!this.#open) return Promise.resolve();
    const frame = this.#encoder.encode(type, ...parts);
    const confirm = this.#confirm;
    this.#confirm = undefined;
    return this.#connection.write(confirm === undefined ? frame : Buffer.concat([confirm, frame]));
  }

  #onBytes(bytes: Buffer): void {
    try {
      for (const frame of this.#decoder.decode(bytes)) {
        this.#onFrame(frame);
        if (!this.#open) return;
      }
    } catch (error) {
      this.#fail(isGuestError(error) ? error : lostError("was closed: a listener threw", error));
      // Anything else comes from a listener of the caller's: it is not ours to swallow.
      if (!isGuestError(error)) throw error;
    }
  }

  #onFrame({ type, payload }: Frame): void {
    if (type === frameTypes.credit) {
      if (payload.length !== 4) bad("a CREDIT frame of a wrong length");
      this.#sendCredit.grant(payload.readUInt32LE());
      return;
    }
    const operation = this.#operation;
    if (operation === undefined) return bad("a frame outside of an operation");
    switch (type) {
      case frameTypes.response:
        return this.#onResponse(operation, decodeMessage(payload));
      case frameTypes.data:
      case frameTypes.eof:
        return this.#onStream(operation, type, payload);
      case frameTypes.event:
        if (operation.phase !== "answered") bad("an EVENT frame before its answer");
        return operation.handler.onEvent(decodeMessage(payload));
      case frameTypes.end:
        if (operation.phase === "requested") bad("an END frame before its answer");
        if (payload.length > 0) bad("an END frame that is not empty");
        this.#operation = undefined;
        this.#sendCredit.stopWaiting();
        return operation.handler.onEnd();
      default:
        return bad(`a frame of type ${type}`);
    }
  }

  #onResponse(operation: Operation, response: MessageMap): void {
    if (operation.phase !== "requested") bad("two answers to one request");
    const ok = response.get("ok");
    if (typeof ok !== "boolean") bad("an answer without ok");
    operation.phase = ok === true ? "answered" : "refused";
    operation.handler.onResponse(response);
  }

  #onStream(operation: Operation, type: number, payload: Buffer): void {
    const cost = costOf(payload.length);
    this.#receiveCredit.charge(cost);
    const stream = payload[0];
    if (operation.phase !== "answered") bad("stream bytes before its answer");
    if (stream !== streamIds.stdout && stream !== streamIds.stderr) return bad(`stream ${stream}`);
    if (operation.ended.has(stream)) bad("stream bytes after their end");
    if (type === frameTypes.data)
      return operation.handler.onData(stream, payload.subarray(1), cost);
    if (payload.length !== 1) bad("an EOF frame of a wrong length");
    operation.ended.add(stream);
    this.consumed(cost);
    operation.handler.onEof(stream);
  }

  #fail(error: GuestError): void {
    if (!this.#open) return;
    this.#open = false;
    const operation = this.#operation;
    this.#operation = undefined;
    void this.#connection.close();
    this.#sendCredit.stopWaiting();
    operation?.handler.onLost(ofOperation(error, operation.op));
  }
}

function lostError(what: string, cause?: unknown, details: GuestErrorDetails = {}): GuestError {
  return new GuestError("GUEST_CONNECTION_LOST", `The connection to the guest agent ${what}`, {
    cause,
    details,
  });
}

/** Adds to an error of the session which operation it hit, and that nobody knows how far that came. */
function ofOperation(error: GuestError, op: string): GuestError {
  if (error.details.op !== undefined) return error;
  return new GuestError(error.code, `${error.message} (during ${op})`, {
    cause: error.cause,
    details: { ...error.details, op, outcome: "unknown" },
  });
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent ${what}`);
}
