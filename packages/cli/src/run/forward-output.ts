import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** How the forwarding of a stream ended: at its end, or because our own stream takes no more. */
export type ForwardEnd = "end" | "output-failed";

/** Forwards what a guest process writes to one of our own standard streams, as fast as that is read. Rejects with what ends the guest's stream early. */
export async function forwardOutput(source: Readable, output: Writable): Promise<ForwardEnd> {
  let outputFailed = false;
  const onError = (): void => {
    outputFailed = true;
  };
  output.once("error", onError);
  try {
    await pipeline(source, output, { end: false });
    return "end";
  } catch (error) {
    // Why, such as a reader that is gone or a full disk, is told by who listens to our streams.
    if (outputFailed) return "output-failed";
    throw error;
  } finally {
    output.off("error", onError);
  }
}
