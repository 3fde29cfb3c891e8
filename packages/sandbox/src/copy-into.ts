import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { access, constants, stat } from "node:fs/promises";
import { basename, isAbsolute } from "node:path";
import type { Readable } from "node:stream";
import type { ExecOptions, GuestProcess } from "@virga/guest";
import { VirgaError, abortedError, errnoOf, errorText } from "@virga/vm";
import { pumpInput } from "./pump-input.ts";

/** Starts a command in the guest. */
export type SpawnInGuest = (
  command: readonly string[],
  options: ExecOptions,
) => Promise<GuestProcess>;

/** What is copied from where to where. */
export interface CopyRequest {
  /** File or directory on this machine. */
  readonly source: string;
  /**
   * Absolute path in the guest. A directory's content goes into the directory of this name; a file gets this name, or goes into it when it is a directory or
   * ends with `/`. Missing directories are made.
   */
  readonly destination: string;
}

/** A request that can be carried out, as far as this machine can tell. */
export interface CheckedCopy extends CopyRequest {
  readonly kind: "file" | "directory";
  /** Permission bits of a file. */
  readonly mode: number;
}

const FILE_SCRIPT =
  't=$1; if [ -d "$t" ]; then t=${t%/}/$2; fi; mkdir -p "${t%/*}/" && cat > "$t" && chmod "$3" "$t"';
const DIRECTORY_SCRIPT = 'mkdir -p "$1" && exec tar -x -f - -C "$1"';
const MAX_TAIL = 1_000;

/** Checks a request before anything is started. `INVALID_ARGUMENT` says what is wrong with it, `NOT_FOUND` that the source is not there. */
export async function checkCopy(request: CopyRequest): Promise<CheckedCopy> {
  const { source, destination } = request;
  if (!isAbsolute(destination) || destination.includes("\0")) {
    throw invalid(
      request,
      `the destination ${JSON.stringify(destination)} is not an absolute path`,
    );
  }
  try {
    const found = await stat(source);
    const isFile = found.isFile();
    if (!isFile && !found.isDirectory()) {
      throw invalid(request, "the source is neither a file nor a directory");
    }
    await access(source, isFile ? constants.R_OK : constants.R_OK | constants.X_OK);
    const kind = isFile ? "file" : "directory";
    return { source, destination, kind, mode: found.mode & 0o777 };
  } catch (error) {
    if (error instanceof VirgaError) throw error;
    const missing = errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
    if (!missing) throw invalid(request, errorText(error), error);
    throw new VirgaError("NOT_FOUND", `Cannot copy ${source}: it does not exist`, {
      cause: error,
      details: { source },
    });
  }
}

/** Copies a file or a directory tree into a guest, by its `sh`, `cat` and `tar`. Symbolic links in a tree stay links; everything belongs to root. */
export async function copyInto(
  spawnInGuest: SpawnInGuest,
  copy: CheckedCopy,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted === true) throw abortedError(`copying ${copy.source}`, signal);
  const options = { stdin: true, ...(signal && { signal }) };
  if (copy.kind === "file") {
    const { source, destination, mode } = copy;
    const name = basename(source);
    const target = destination.endsWith("/") ? destination + name : destination;
    const script = ["sh", "-c", FILE_SCRIPT, "sh", target, name, mode.toString(8)];
    await send(copy, await spawnInGuest(script, options), createReadStream(source));
    return;
  }
  const guest = await spawnInGuest(["sh", "-c", DIRECTORY_SCRIPT, "sh", copy.destination], options);
  const tar = startTar(copy.source);
  const sourceEnd = endOfTar(copy, tar);
  sourceEnd.catch(() => undefined);
  try {
    await send(copy, guest, tar.stdout);
    await sourceEnd;
  } finally {
    tar.kill("SIGKILL");
  }
}

async function send(copy: CopyRequest, guest: GuestProcess, content: Readable): Promise<void> {
  guest.stdout.resume();
  const feeding = pumpInput(content, guest).catch((error: unknown) => {
    throw failed(copy, errorText(error), error);
  });
  try {
    const [exit, complaint] = await Promise.all([guest.exited, tailOf(guest.stderr), feeding]);
    if (exit.code !== 0) throw failed(copy, complaint === "" ? "the guest refused" : complaint);
  } finally {
    content.destroy();
    await guest.close();
  }
}

type Tar = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

function startTar(source: string): Tar {
  const format = ["--format=gnu", "--owner=0", "--group=0", "--numeric-owner"];
  return spawn("tar", [...format, "-C", source, "-c", "-f", "-", "."], {
    stdio: ["ignore", "pipe", "pipe"],
  }) as unknown as Tar;
}

async function endOfTar(copy: CopyRequest, tar: Tar): Promise<void> {
  try {
    const [complaint, [code]] = await Promise.all([tailOf(tar.stderr), once(tar, "close")]);
    if (code !== 0) throw failed(copy, complaint);
  } catch (error) {
    if (error instanceof VirgaError) throw error;
    throw failed(copy, `the program tar cannot be run (${errorText(error)})`, error);
  }
}

/** The end of what a program said, in one line without control characters. */
async function tailOf(stream: Readable): Promise<string> {
  let tail = "";
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    tail = (tail + chunk.toString("utf8")).slice(-MAX_TAIL);
  }
  return tail.replaceAll(/\p{Cc}+/gu, " ").trim();
}

function invalid(request: CopyRequest, why: string, cause?: unknown): VirgaError {
  return new VirgaError("INVALID_ARGUMENT", `Cannot copy ${request.source}: ${why}`, {
    details: { ...request },
    cause,
  });
}

function failed(request: CopyRequest, why: string, cause?: unknown): VirgaError {
  return new VirgaError(
    "IO_ERROR",
    `Cannot copy ${request.source} to ${request.destination} in the sandbox: ${why}`,
    { details: { ...request }, cause },
  );
}
