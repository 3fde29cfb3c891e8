import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GuestError } from "./errors.ts";
import type { GuestStream } from "./stream-operation.ts";

/** Sends all of `content` as the input of an operation, and waits for its end. A source that fails ends the operation in the guest. */
export async function sendContent(
  content: AsyncIterable<Uint8Array | string>,
  stream: GuestStream,
): Promise<void> {
  const pumping = pipeline(Readable.from(content, { objectMode: false }), stream.input);
  await pumping.catch((error: unknown) => failed(error, stream));
  await stream.done;
}

/** A source that failed: what was sent so far must not pass for all of it. */
async function failed(error: unknown, stream: GuestStream): Promise<void> {
  await stream.close();
  await stream.done.catch((reason: unknown) => {
    // Closed by us just now: the source's own error is the reason.
    if (reason instanceof GuestError && reason.code === "ABORTED" && reason.cause === undefined)
      throw error;
    throw reason;
  });
}
