/** Length of each record of the handshake, in bytes. */
export const handshakeRecordLength = 40;

/** Length of a nonce, in bytes. */
export const nonceLength = 16;

/** Zeros that free an agent caught in the middle of a frame: at least the largest frame. */
export const fillerLength = 32_768;

const hello = Buffer.from("VIRGA/1H");
const welcome = Buffer.from("VIRGA/1W");
const confirm = Buffer.from("VIRGA/1C");

/** The record that begins a connection. */
export function helloRecord(hostNonce: Uint8Array): Buffer {
  return Buffer.concat([hello, hostNonce, Buffer.alloc(nonceLength)]);
}

/** The record that ends the handshake; the first frame follows it in the same write. */
export function confirmRecord(hostNonce: Uint8Array, guestNonce: Uint8Array): Buffer {
  return Buffer.concat([confirm, hostNonce, guestNonce]);
}

/** What the welcome for `hostNonce` begins with; the guest's nonce follows. */
export function welcomePrefix(hostNonce: Uint8Array): Buffer {
  return Buffer.concat([welcome, hostNonce]);
}

/** Tag of the first frame from host to agent. */
export function firstTagToGuest(guestNonce: Uint8Array): bigint {
  return Buffer.from(guestNonce).readBigUInt64LE(0) | 1n;
}

/** Tag of the first frame from agent to host. */
export function firstTagFromGuest(hostNonce: Uint8Array): bigint {
  return Buffer.from(hostNonce).readBigUInt64LE(8) | 1n;
}

/** Both nonces, and the bytes that followed the welcome. */
export interface Welcome {
  readonly hostNonce: Buffer;
  readonly guestNonce: Buffer;
  readonly rest: Buffer;
}

/** Finds the welcome for our hello in a stream that may begin with bytes meant for someone else. */
export class WelcomeScanner {
  readonly #hostNonce: Buffer;
  readonly #prefix: Buffer;
  #tail = Buffer.alloc(0);
  #dropped = 0;

  constructor(hostNonce: Buffer) {
    this.#hostNonce = hostNonce;
    this.#prefix = welcomePrefix(hostNonce);
  }

  /** Bytes dropped so far, those of an earlier user of the channel. */
  get droppedLength(): number {
    return this.#dropped;
  }

  /** Bytes held because they may be the beginning of the welcome: always fewer than the record. */
  get heldLength(): number {
    return this.#tail.length;
  }

  /** Takes the next bytes; returns the welcome once it is complete. */
  push(chunk: Buffer): Welcome | undefined {
    const bytes = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    const start = bytes.indexOf(this.#prefix);
    const end = start + handshakeRecordLength;
    if (start >= 0 && end <= bytes.length) {
      this.#dropped += start;
      this.#tail = Buffer.alloc(0);
      return {
        hostNonce: this.#hostNonce,
        guestNonce: Buffer.from(bytes.subarray(start + this.#prefix.length, end)),
        rest: bytes.subarray(end),
      };
    }
    const kept = start >= 0 ? start : Math.max(0, bytes.length - this.#prefix.length + 1);
    this.#dropped += kept;
    this.#tail = Buffer.from(bytes.subarray(kept));
    return undefined;
  }
}
