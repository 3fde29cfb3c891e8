import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** How the forwarding of a stream ended: at its end, or because nobody reads what we write. */
export type ForwardEnd = "end" | "no-reader";

/** Forwards what a guest process writes to one of our own standard streams, as fast as that is read. Rejects with what ends the guest's stream early. */
export async function forwardOutput(source: Readable, output: Writable): Promise<ForwardEnd> {
  try {
    await pipeline(source, output, { end: false });
    return "end";
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return "no-reader";
    throw error;
  }
}
