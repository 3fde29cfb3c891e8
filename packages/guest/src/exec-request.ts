import { GuestError } from "./errors.ts";
import type { TerminalSize } from "./guest-process.ts";
import type { MessageFields } from "./message.ts";
import { unknownOptions } from "./unknown-options.ts";

/** How a process is started. */
export interface ExecOptions {
  /** Added to the environment (see `inheritEnv`). */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory; the agent's default is its own. A path is text or bytes. */
  readonly cwd?: string | Uint8Array;
  /** Whether standard input is wanted; without it the process reads `/dev/null`. Default: only with a terminal. */
  readonly stdin?: boolean;
  /** Gives the process a terminal of this size. */
  readonly pty?: TerminalSize & {
    /** Value of TERM. */
    readonly term?: string;
  };
  /** Whether the process lives on when the connection ends. */
  readonly detach?: boolean;
  /** Time limit of the process, in milliseconds of the guest's running time; then it is killed and its exit says `timedOut`. */
  readonly timeoutMs?: number;
  /** Whether the environment given at `init` and the agent's PATH, HOME and TERM are the base. Default true. */
  readonly inheritEnv?: boolean;
  /** Milliseconds until the process must have started, the connection included. Default: that of the client. */
  readonly startTimeoutMs?: number;
  /** Gives the process up when aborted, as {@link GuestProcess.close}. */
  readonly signal?: AbortSignal;
}

const KNOWN: Readonly<Record<keyof ExecOptions, true>> = {
  env: true,
  cwd: true,
  stdin: true,
  pty: true,
  detach: true,
  timeoutMs: true,
  inheritEnv: true,
  startTimeoutMs: true,
  signal: true,
};

/**
 * The fields of an `exec` request.
 * @throws GuestError `GUEST_BAD_REQUEST` for what cannot be sent.
 */
export function execRequest(
  argv: readonly (string | Uint8Array)[],
  options: ExecOptions,
): MessageFields {
  const unknown = unknownOptions(options, KNOWN);
  if (unknown.length > 0) refuse(unknown.join("; "));
  if (argv.length === 0) refuse("the command is empty");
  for (const [index, argument] of argv.entries()) checkText(`argument ${index}`, argument);
  if (argv[0]?.length === 0) refuse("the name of the program is empty");
  if (options.cwd !== undefined) checkText("cwd", options.cwd);
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (name === "" || name.includes("="))
      refuse(`${JSON.stringify(name)} is not a name for a variable`);
    checkText(`variable ${name}`, name);
    checkText(`variable ${name}`, value);
  }
  if (
    options.timeoutMs !== undefined &&
    !(Number.isInteger(options.timeoutMs) && options.timeoutMs > 0)
  ) {
    refuse(`timeoutMs is ${options.timeoutMs}, it must be an integer above 0`);
  }
  const { pty } = options;
  return {
    op: "exec",
    argv,
    env: options.env,
    cwd: options.cwd,
    stdin: options.stdin ?? pty !== undefined,
    pty: pty && { ...sizeFields(pty), term: pty.term },
    detach: options.detach,
    timeoutMs: options.timeoutMs,
    inheritEnv: options.inheritEnv,
  };
}

/**
 * A terminal's size as the agent wants it.
 * @throws GuestError `GUEST_BAD_REQUEST` for one that no terminal has.
 */
export function sizeFields({ rows, cols }: TerminalSize): { rows: number; cols: number } {
  for (const [name, value] of Object.entries({ rows, cols })) {
    if (!Number.isInteger(value) || value < 1 || value > 65_535) {
      refuse(`the terminal has ${value} ${name}, it must be 1 to 65535`);
    }
  }
  return { rows, cols };
}

function checkText(what: string, value: string | Uint8Array): void {
  if (typeof value !== "string" && !(value instanceof Uint8Array))
    refuse(`${what} is neither a string nor bytes`);
  const hasNul = typeof value === "string" ? value.includes("\0") : value.includes(0);
  if (hasNul) refuse(`${what} contains a NUL byte`);
}

function refuse(what: string): never {
  throw new GuestError("GUEST_BAD_REQUEST", `Cannot start a process in the guest: ${what}`, {
    details: { op: "exec", outcome: "not-started" },
  });
}
