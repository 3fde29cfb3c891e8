import type { Readable } from "node:stream";
import { unknownOptions } from "@virga/guest";
import type { GuestProcess } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import { pumpInput } from "./pump-input.ts";

/** How to run a command to its end. */
export interface RunOptions {
  /** Added to the sandbox's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory in the guest. Default: the image's. */
  readonly cwd?: string;
  /** Who it runs as: a user of the image's, by name or number. Default: the image's. */
  readonly user?: string | number;
  /** Standard input. Default: none (`/dev/null`). */
  readonly stdin?: string | Uint8Array | Readable;
  /** Milliseconds after which the command is killed; the result says `timedOut`. */
  readonly timeoutMs?: number;
  /** Most bytes of standard output and of standard error to keep. Default 16 MiB; more is the error `CAPACITY`. */
  readonly maxOutputBytes?: number;
  /** Kills the command when aborted. */
  readonly signal?: AbortSignal;
}

/** How a command ended, and what it wrote. */
export interface RunResult {
  /** Standard output as text in UTF-8. */
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; 128 + n when signal n ended the command. */
  readonly exitCode: number;
  /** Number of the signal that ended it. */
  readonly signal: number | undefined;
  /** Whether the time limit ended it. */
  readonly timedOut: boolean;
}

const KNOWN: Readonly<Record<keyof RunOptions, true>> = {
  env: true,
  cwd: true,
  user: true,
  stdin: true,
  timeoutMs: true,
  maxOutputBytes: true,
  signal: true,
};

/** `INVALID_ARGUMENT` for options that there are not. */
export function checkRunOptions(command: readonly string[], options: RunOptions): void {
  const problems = unknownOptions(options, KNOWN);
  if (problems.length === 0) return;
  throw new VirgaError("INVALID_ARGUMENT", `Cannot run ${command[0]}: ${problems.join("; ")}`, {
    details: { problems },
  });
}

const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Feeds a started process and collects what it writes, until it has ended. */
export async function collect(process: GuestProcess, options: RunOptions): Promise<RunResult> {
  const maxBytes = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  try {
    const feeding = feed(process, options.stdin);
    const [stdout, stderr, exit] = await Promise.all([
      readAll(process.stdout, "standard output", maxBytes),
      readAll(process.stderr, "standard error", maxBytes),
      process.exited,
      feeding,
    ]);
    return {
      stdout,
      stderr,
      exitCode: exit.signal === undefined ? exit.code : 128 + exit.signal,
      signal: exit.signal,
      timedOut: exit.timedOut,
    };
  } finally {
    // Ends what still runs when something above failed.
    await process.close();
  }
}

async function feed(process: GuestProcess, stdin: RunOptions["stdin"]): Promise<void> {
  if (stdin === undefined) return;
  if (typeof stdin === "string" || stdin instanceof Uint8Array) {
    process.stdin.end(stdin);
    return;
  }
  await pumpInput(stdin, process);
}

async function readAll(stream: Readable, what: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new VirgaError("CAPACITY", `The command wrote more than ${maxBytes} bytes of ${what}`, {
        details: { maxOutputBytes: maxBytes },
        hint: "Raise maxOutputBytes, or use spawn() and read the stream.",
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
