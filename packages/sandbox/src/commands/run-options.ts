import type { Readable } from "node:stream";
import { unknownOptions } from "@virga/guest";
import type { ExecOptions } from "@virga/guest";
import { VirgaError } from "@virga/vm";

/** What a command reads as its standard input. */
export type InputContent = string | Uint8Array | Readable;

/** How to run a command to its end. */
export interface RunOptions extends Pick<
  ExecOptions,
  "inheritEnv" | "limits" | "login" | "startTimeoutMs"
> {
  /** Added to the sandbox's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory in the guest. Default: the image's. */
  readonly cwd?: string | Uint8Array;
  /** Who it runs as: a user of the image's, by name or number. Default: the image's. */
  readonly user?: string | number;
  /** Standard input. Default: none (`/dev/null`). */
  readonly stdin?: InputContent;
  /** Milliseconds after which the command is killed; the result says `timedOut`. */
  readonly timeoutMs?: number;
  /** Most bytes of standard output and of standard error to keep. Default 16 MiB; more is the error `CAPACITY`. */
  readonly maxOutputBytes?: number;
  /** Whether a command that fails is a {@link CommandError}. Default true; with false the result tells. */
  readonly reject?: boolean;
  /** Kills the command when aborted. */
  readonly signal?: AbortSignal;
}

/** How to start a command: as `ExecOptions` of `@virga/guest`, with what its result needs. */
export interface SpawnOptions
  extends Omit<ExecOptions, "stdin">, Pick<RunOptions, "maxOutputBytes" | "reject"> {
  /** Standard input: what it reads, or `true` for the stream `stdin` of the process. Default: none, but with a terminal. */
  readonly stdin?: boolean | InputContent;
}

/** How a command ended. */
export interface ProcessEnd {
  /** Exit code; 128 + n when signal n ended the command. */
  readonly exitCode: number;
  /** Number of the signal that ended it. */
  readonly signal: number | undefined;
  /** Whether the time limit ended it. */
  readonly timedOut: boolean;
}

/** How a command ended, and what it wrote. */
export interface RunResult extends ProcessEnd {
  /** Standard output as text in UTF-8. */
  readonly stdout: string;
  readonly stderr: string;
}

const RUN: Readonly<Record<keyof RunOptions, true>> = {
  env: true,
  cwd: true,
  user: true,
  stdin: true,
  timeoutMs: true,
  maxOutputBytes: true,
  reject: true,
  signal: true,
  inheritEnv: true,
  limits: true,
  login: true,
  startTimeoutMs: true,
};

const SPAWN: Readonly<Record<keyof SpawnOptions, true>> = {
  ...RUN,
  pty: true,
  detach: true,
  tag: true,
  ringBytes: true,
};

/** `INVALID_ARGUMENT` for options of `run` that there are not. */
export function checkRunOptions(command: readonly string[], options: RunOptions): void {
  refuse(command, unknownOptions(options, RUN));
}

/** `INVALID_ARGUMENT` for options of `spawn` that there are not. */
export function checkSpawnOptions(command: readonly string[], options: SpawnOptions): void {
  refuse(command, unknownOptions(options, SPAWN));
}

function refuse(command: readonly string[], problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new VirgaError(
    "INVALID_ARGUMENT",
    `Cannot run ${command[0] ?? ""}: ${problems.join("; ")}`,
    { details: { problems } },
  );
}
