import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import { abortedError } from "@virga/vm";
import { spawnTool } from "../setup/spawn-tool.ts";
import { endOfProgram } from "./end-of-program.ts";

// An archive's own entry for the root is ignored. Guests read lz4 the fastest.
const PACKING =
  "-root-mode 755 -root-uid 0 -root-gid 0 -comp lz4 -mkfs-time 0 -quiet -no-progress".split(" ");

/** Told how many bytes have gone through so far. */
export type OnBytes = (bytes: number) => void;

/** The SHA-256 of a stream, in hexadecimal digits. `ABORTED` by the signal. */
export async function hashStream(
  stream: AsyncIterable<Buffer>,
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: OnBytes } = {},
): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    if (options.signal?.aborted === true) throw abortedError("reading", options.signal);
    hash.update(chunk);
    bytes += chunk.length;
    options.onBytes?.(bytes);
  }
  return hash.digest("hex");
}

/**
 * Packs a stream of tar into the read-only file system `target`, and gives what the stream's SHA-256 was and the file's. sqfstar refuses names that lead
 * elsewhere. `IO_ERROR` when the stream is no archive, `ABORTED` by the signal; then there is no file.
 */
export async function packBase(
  stream: AsyncIterable<Buffer>,
  target: string,
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: OnBytes } = {},
): Promise<{ readonly streamSha256: string; readonly sha256: string }> {
  const { signal } = options;
  const checkAbort = (): void => {
    if (signal?.aborted === true) throw abortedError("packing an image", signal);
  };
  checkAbort();
  const tool = spawnTool("sqfstar", [...PACKING, target], { stdio: ["pipe", "ignore", "pipe"] });
  const ended = endOfProgram(tool, "pack the image");
  const hash = createHash("sha256");
  const stdin = tool.child.stdin as Writable;
  let bytes = 0;
  // It ends at the end mark of the archive; what pads the last block behind it may find nobody.
  stdin.on("error", () => undefined);
  const closed = new Promise((resolve) => {
    stdin.once("close", resolve);
  });
  // It may be at work with all that it was given.
  signal?.addEventListener("abort", tool.kill, { once: true });
  try {
    for await (const chunk of stream) {
      checkAbort();
      hash.update(chunk);
      bytes += chunk.length;
      options.onBytes?.(bytes);
      if (stdin.destroyed) await ended;
      else if (!stdin.write(chunk)) await Promise.race([drained(stdin), closed]);
    }
    stdin.end();
    await ended;
  } catch (error) {
    tool.kill();
    await ended.catch(() => undefined);
    await rm(target, { force: true });
    checkAbort();
    throw error;
  } finally {
    signal?.removeEventListener("abort", tool.kill);
  }
  return {
    streamSha256: hash.digest("hex"),
    sha256: await hashStream(createReadStream(target) as AsyncIterable<Buffer>, { signal }),
  };
}

// Unlike `once` of node:events it never rejects.
function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once("drain", resolve);
  });
}
