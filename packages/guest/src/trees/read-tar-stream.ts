import { GuestError } from "../errors.ts";
import { tarBlock, tarPadding } from "../write-tar-header.ts";
import { maxPaxLength, readTarHeader, type TarEntry, withPax } from "./tar-subset.ts";

/** Most bytes behind the first block of zeros, which other writers fill up with. */
const maxTail = 65_536;

/** An archive that is read from a stream, entry by entry. */
export class TarStream {
  readonly #pieces: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  /** Of the entry that was given last: what nobody has read of its content, and what fills it up. */
  #unread = 0;
  #padding = 0;

  constructor(stream: AsyncIterable<Buffer>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /**
   * Gives the next entry, undefined behind the last one, when the stream has ended. What was not read of the content before is passed over.
   * @throws GuestError `GUEST_PROTOCOL` for what is none, or what the stream fails with.
   */
  async next(): Promise<TarEntry | undefined> {
    for await (const _ of this.content()) {
    }
    let pax: Buffer | undefined;
    for (;;) {
      const block = await this.#take(tarBlock);
      if (block.every((byte) => byte === 0)) {
        // To its end: only there is it known that all is well.
        await this.#finish();
        return undefined;
      }
      const header = readTarHeader(block);
      if (header.type !== "pax") {
        const entry = withPax({ ...header, type: header.type }, pax ?? Buffer.alloc(0));
        this.#unread = entry.size;
        this.#padding = tarPadding(entry.size);
        return entry;
      }
      if (pax !== undefined || header.size > maxPaxLength) bad("a pax header that is none");
      pax = Buffer.from(await this.#take(header.size));
      await this.#take(tarPadding(header.size));
    }
  }

  /** Goes through the content of the entry that was given last. */
  async *content(): AsyncGenerator<Buffer> {
    while (this.#unread > 0) {
      if (this.#held.length === 0 && !(await this.#fill())) bad("an end within a file");
      const piece = this.#held.subarray(0, this.#unread);
      this.#held = this.#held.subarray(piece.length);
      this.#unread -= piece.length;
      yield piece;
    }
    const padding = this.#padding;
    this.#padding = 0;
    await this.#take(padding);
  }

  async #finish(): Promise<void> {
    let length = 0;
    do {
      length += this.#held.length;
      this.#held = Buffer.alloc(0);
      if (length > maxTail) bad("an end that does not end");
    } while (await this.#fill());
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#held.length < length) {
      if (!(await this.#fill())) bad("an end before its own");
    }
    const bytes = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return bytes;
  }

  /** Holds one more piece; false at the end of the stream. */
  async #fill(): Promise<boolean> {
    const { value, done } = await this.#pieces.next();
    if (done === true) return false;
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
    return true;
  }
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent an archive with ${what}`, {
    details: { op: "file.pack", outcome: "unknown" },
  });
}
