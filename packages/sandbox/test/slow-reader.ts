import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Sandbox } from "@virga/sandbox";

const MB = 1_000_000;
const PIECE_BYTES = 100_000;

/** What may be on the way to a reader whose reports come late: its piece, windows and buffers, with room. */
const ON_THE_WAY_BYTES = 8 * MB;

/** More than this process may grow by meanwhile; what a runtime keeps for later is in it. */
const GROWTH_BYTES = 60 * MB;

/**
 * Gives input to a command that reads a megabyte, tells how much it has, pauses, and reads on. All of it arrives, the writer is never far ahead of the reader,
 * and this process keeps nothing.
 */
export async function feedSlowReader(
  sandbox: Sandbox,
  { bytes, readerPauseMs }: { readonly bytes: number; readonly readerPauseMs: number },
): Promise<void> {
  const take = "dd bs=1000000 count=1 iflag=fullblock 2>/dev/null | wc -c";
  const script = `n=0; while m=$(${take}); [ $m -gt 0 ]; do n=$((n+m)); echo $n; sleep ${readerPauseMs / 1_000}; done`;
  const child = await sandbox.spawn(["sh", "-c", script], { stdin: true }).started;
  child.stderr.resume();
  let read = 0;
  const reports = (async () => {
    for await (const line of createInterface(child.stdout)) read = Number(line);
  })();
  let early: number | undefined;
  let highest = 0;
  let farthest = 0;
  function* pieces(): Generator<Buffer> {
    for (let given = 0; given < bytes; given += PIECE_BYTES) {
      farthest = Math.max(farthest, given - read);
      const { rss } = process.memoryUsage();
      // The first part warms the runtime up.
      if (given >= bytes / 10) {
        early ??= rss;
        highest = Math.max(highest, rss);
      }
      yield Buffer.alloc(PIECE_BYTES);
    }
  }
  await pipeline(Readable.from(pieces()), child.stdin);
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
  await reports;
  assert.equal(read, bytes);
  assert.ok(farthest < ON_THE_WAY_BYTES, `the writer was ${farthest} bytes ahead`);
  assert.ok(early !== undefined);
  assert.ok(highest - early < GROWTH_BYTES, `this process grew by ${highest - early} bytes`);
}
