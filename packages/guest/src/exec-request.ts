import { GuestError } from "./errors.ts";
import type { TerminalSize } from "./guest-process.ts";
import type { MessageFields } from "./message.ts";
import { unknownOptions } from "./unknown-options.ts";

/** Names of resource limits: `setrlimit`'s in lower case, without `RLIMIT_`. */
export type ResourceLimitName =
  | "as"
  | "core"
  | "cpu"
  | "data"
  | "fsize"
  | "locks"
  | "memlock"
  | "msgqueue"
  | "nice"
  | "nofile"
  | "nproc"
  | "rss"
  | "rtprio"
  | "rttime"
  | "sigpending"
  | "stack";

/** One value of a resource limit, in the kernel's units. */
export type ResourceLimit = number | "unlimited";

/** Resource limits of a process. */
export type ResourceLimits = {
  readonly [name in ResourceLimitName]?:
    | ResourceLimit
    | readonly [soft: ResourceLimit, hard: ResourceLimit];
};

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
  /** Who it runs as: a name of the guest's /etc/passwd or a number, with that user's groups and HOME; with `:GROUP` behind it that group, by name or number, in place of all the user's. Default: root. */
  readonly user?: string | number;
  /**
   * Runs the user's login shell in the user's home; the command is then what follows the shell, and may be empty:
   * `exec(["-c", "make"], { login: true })`.
   */
  readonly login?: boolean;
  /** Resource limits of the process, as `setrlimit` knows them: one number for both, or soft and hard; `"unlimited"` for none. */
  readonly limits?: ResourceLimits;
  /** Whether the process lives on when the connection ends. Another one may attach to it. */
  readonly detach?: boolean;
  /** A name to attach by, of at most 63 bytes; no two running processes have the same. */
  readonly tag?: string;
  /** How many bytes of the last output are kept for who attaches later, at most 1,048,576. Default 65,536; with a little more for each piece. */
  readonly ringBytes?: number;
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
  user: true,
  login: true,
  limits: true,
  detach: true,
  tag: true,
  ringBytes: true,
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
  const login = options.login === true;
  if (argv.length === 0 && !login) refuse("the command is empty");
  for (const [index, argument] of argv.entries()) checkText(`argument ${index}`, argument);
  if (argv[0]?.length === 0 && !login) refuse("the name of the program is empty");
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
    user: options.user === undefined ? undefined : userField(options.user),
    login: options.login,
    limits: options.limits && limitFields(options.limits),
    detach: options.detach,
    tag: options.tag,
    ringBytes: options.ringBytes,
    timeoutMs: options.timeoutMs,
    inheritEnv: options.inheritEnv,
  };
}

function userField(user: string | number): string {
  if (typeof user === "number" ? !Number.isInteger(user) || user < 0 : user === "") {
    refuse(`user is ${JSON.stringify(user)}, it must be a name or a number of 0 or more`);
  }
  return String(user);
}

function limitFields(limits: ResourceLimits): MessageFields {
  const value = (name: string, limit: ResourceLimit): number => {
    if (limit === "unlimited") return -1;
    if (!Number.isSafeInteger(limit) || limit < 0) {
      refuse(`the limit ${name} is ${limit}, it must be an integer of 0 or more, or "unlimited"`);
    }
    return limit;
  };
  return Object.fromEntries(
    Object.entries(limits).map(([name, limit]) => [
      name,
      typeof limit === "object" ? limit.map((part) => value(name, part)) : value(name, limit),
    ]),
  );
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
