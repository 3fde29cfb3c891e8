import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { GuestProcess } from "@virga/guest";

/**
 * Feeds a guest process from a stream until its end, or until the process reads no more. Rejects only with an error of the source's own; the process may
 * wait for more then, so that it should be given up.
 */
export async function pumpInput(source: Readable, guest: GuestProcess): Promise<void> {
  let sourceError: Error | undefined;
  source.once("error", (error) => {
    // A process that ends early closes its stdin, and that is an error of the pipeline only.
    if (!guest.stdin.destroyed) sourceError = error;
  });
  try {
    await pipeline(source, guest.stdin);
  } catch {
    if (sourceError !== undefined) throw sourceError;
  }
}
