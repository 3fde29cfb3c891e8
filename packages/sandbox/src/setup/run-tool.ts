import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { VirgaError, abortedError } from "@virga/vm";
import { spawnTool } from "./spawn-tool.ts";

/** How to run a program of the system. */
export interface ToolOptions {
  /** What the program is run for, for the error's sentence: `Cannot <what>: …`. */
  readonly what: string;
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to the program's standard input. */
  readonly input?: Buffer;
  readonly timeoutMs?: number;
  /** Standard output beyond this fails the call. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** It goes on when this process is killed: for what must not stop half-way. Default false. */
  readonly outlives?: boolean;
  /** Called with each whole line of standard output and standard error, as it comes. */
  readonly onLine?: (line: string) => void;
}

type Piped = ChildProcess & {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
};

const TAIL_BYTES = 4096;
const ABORTED = "aborted";

/**
 * Runs a program and gives its standard output. `SETUP_FAILED` when it is missing, fails (with the tail of what it said), exceeds its time or
 * its output; `ABORTED` by the signal. The program is ended in every such case before the call rejects, and by the death of this process.
 */
export async function runTool(
  program: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<Buffer> {
  const { what, timeoutMs = 60_000, maxOutputBytes = 256 << 20, signal } = options;
  if (signal?.aborted === true) throw abortedError(what, signal);
  const tool = spawnTool(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    outlives: options.outlives === true,
  });
  const child = tool.child as Piped;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let tail = "";
  let problem: string | undefined;
  const stop = (why: string): void => {
    problem ??= why;
    tool.kill();
  };
  const timer = setTimeout(stop, timeoutMs, `not done after ${timeoutMs / 1000} s`);
  const onAbort = (): void => stop(ABORTED);
  signal?.addEventListener("abort", onAbort, { once: true });
  const lines = options.onLine === undefined ? undefined : lineSplitter(options.onLine);
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxOutputBytes) return stop(`it wrote more than ${maxOutputBytes} bytes`);
    chunks.push(chunk);
    lines?.(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("utf8")).slice(-TAIL_BYTES);
    lines?.(chunk);
  });
  // A program that does not read its input ends with an exit code of its own; that is the error to report.
  child.stdin.on("error", () => undefined).end(options.input);
  try {
    const [code, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once("error", reject).once("close", (...status) => resolve(status));
      },
    );
    if (problem === ABORTED && signal !== undefined) throw abortedError(what, signal);
    if (code === 0 && problem === undefined) return Buffer.concat(chunks);
    const said =
      tail.trim() === "" ? Buffer.concat(chunks).toString("utf8").slice(-TAIL_BYTES) : tail;
    const ending = problem ?? (code === null ? `it died of ${killedBy}` : `it ended with ${code}`);
    throw new VirgaError(
      "SETUP_FAILED",
      `Cannot ${what}: ${[program, ...args].join(" ")}: ${ending}${said.trim() && `:\n${said.trim()}`}`,
      { details: { program, args, code, signal: killedBy, tail: said } },
    );
  } catch (error) {
    if (error instanceof VirgaError) throw error;
    throw new VirgaError("SETUP_FAILED", `Cannot ${what}: the program ${program} cannot be run`, {
      cause: error,
      details: { program, args },
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function lineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = "";
  return (chunk) => {
    const parts = (rest + chunk.toString("utf8")).split(/\r?\n|\r/u);
    rest = parts.pop() ?? "";
    for (const part of parts) onLine(part);
  };
}
