import { Writable } from "node:stream";
import { GuestError } from "./errors.ts";

/** Bytes a writer may leave here before `write` returns false. */
const highWaterMark = 65_536;

/** Where {@link GuestInput} sends its bytes; each promise settles when the bytes are on their way or of no use any more. */
export interface InputSink {
  sendData(bytes: Uint8Array): Promise<void>;
  sendEnd(): Promise<void>;
}

/** Standard input of a guest process. A write is done when the guest's credit covered it. */
export class GuestInput extends Writable {
  readonly #sink: InputSink | undefined;

  /** @param sink undefined for a process that was started without standard input: writing is an error then. */
  constructor(sink: InputSink | undefined) {
    super({ highWaterMark, decodeStrings: true });
    this.#sink = sink;
    // See GuestOutput: an unused stream must not bring the caller down.
    this.on("error", () => {});
  }

  override _write(
    bytes: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error) => void,
  ): void {
    if (this.#sink === undefined) {
      callback(
        new GuestError(
          "GUEST_BAD_REQUEST",
          "Cannot write to the guest process: it was started without stdin",
          {
            hint: "Start it with stdin: true.",
          },
        ),
      );
      return;
    }
    void this.#run(this.#sink.sendData(bytes), callback);
  }

  override _final(callback: (error?: Error) => void): void {
    if (this.#sink === undefined) callback();
    else void this.#run(this.#sink.sendEnd(), callback);
  }

  async #run(sending: Promise<void>, callback: (error?: Error) => void): Promise<void> {
    await sending;
    callback();
  }
}
