import { GuestError } from "./errors.ts";
import type { GuestName } from "./file-status.ts";
import type { MessageFields } from "./message.ts";

/** How to do something with files. */
export interface FileOptions {
  /** Who does it: a name of the guest's /etc/passwd or a number. Default: root. */
  readonly user?: string | number;
  /** Milliseconds until the agent must have answered; what is streamed after that may take longer. Default: that of the client. */
  readonly timeoutMs?: number;
  /** Ends it when aborted, also while it streams. */
  readonly signal?: AbortSignal;
}

/** Which part of a file to read. */
export interface ReadOptions extends FileOptions {
  /** The first byte. Default 0. */
  readonly offset?: number;
  /** How many bytes, if there are as many. Default: all. */
  readonly length?: number;
}

/** How to write a file. */
export interface WriteOptions extends FileOptions {
  /** Permissions, 0 … 0o7777. Default: those of what is there, or 0644. */
  readonly mode?: number;
  /** `"user"`, `"user:group"` or `":group"`, by name or number; it also gets the directories that are made. */
  readonly owner?: string;
  /** Whether missing directories above it are made, with mode 0755. */
  readonly parents?: boolean;
  /** Writes at the end of what is there. */
  readonly append?: boolean;
  /** Writes from this byte on over what is there. */
  readonly offset?: number;
  /** When its content is to have changed last, in nanoseconds since 1970. Default: now. */
  readonly mtimeNs?: bigint;
}

const maxPathLength = 4_095;

/**
 * The fields of a request about files, checked as far as this side can.
 * @throws GuestError `GUEST_BAD_REQUEST` for what the agent could only refuse.
 */
export function fileFields(op: string, fields: MessageFields, options: FileOptions): MessageFields {
  for (const name of ["path", "from", "to", "target"]) {
    const value = fields[name];
    if (value !== undefined) checkPath(op, name, value);
  }
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "number" && !(Number.isSafeInteger(value) && value >= 0))
      refuse(op, `${name} is ${value}, it must be an integer of 0 or more`);
  }
  const mode = fields["mode"];
  if (typeof mode === "number" && mode > 0o7777)
    refuse(op, `mode is 0o${mode.toString(8)}, it must be at most 0o7777`);
  return { ...fields, user: options.user === undefined ? undefined : String(options.user) };
}

/** The fields of a `file.write` request; throws as {@link fileFields}. */
export function writeFields(path: GuestName, options: WriteOptions): MessageFields {
  const { mode, owner, parents, append, offset } = options;
  const mtimeNs = options.mtimeNs === undefined ? undefined : timeFields(options.mtimeNs);
  if (append === true && offset !== undefined)
    refuse("file.write", "append and offset exclude each other");
  const fields = { path, mode, owner, parents, append, offset, mtimeNs };
  return fileFields("file.write", fields, options);
}

/** A time as `[seconds, nanoseconds]`. */
export function timeFields(timeNs: bigint): [number, number] {
  const second = 1_000_000_000n;
  const rest = ((timeNs % second) + second) % second;
  return [Number((timeNs - rest) / second), Number(rest)];
}

function checkPath(op: string, name: string, path: unknown): void {
  const isText = typeof path === "string";
  if (!isText && !(path instanceof Uint8Array))
    return refuse(op, `${name} is neither text nor bytes`);
  const bytes = isText ? Buffer.from(path) : path;
  if (bytes.length === 0 || bytes.length > maxPathLength || bytes.includes(0))
    refuse(op, `${name} has ${bytes.length} bytes, it must have 1 to ${maxPathLength} and no NUL`);
}

function refuse(op: string, what: string): never {
  throw new GuestError("GUEST_BAD_REQUEST", `Cannot do ${op} in the guest: ${what}`, {
    details: { op, outcome: "not-started" },
  });
}
