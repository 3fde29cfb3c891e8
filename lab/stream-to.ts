import { once } from "node:events";
import type { Writable } from "node:stream";

/** Passes chunks on to a stream, no faster than it takes them. A stream whose reader has gone swallows the rest. */
export function streamTo(stream: Writable): (chunk: Buffer) => Promise<void> {
  let gone = false;
  stream.once("error", () => {
    gone = true;
  });
  return async (chunk) => {
    if (gone || stream.write(chunk)) return;
    await Promise.race([once(stream, "drain"), once(stream, "close")]).catch(() => undefined);
  };
}
