import { Answer } from "./answer.ts";
import { GuestError } from "./errors.ts";
import { parseExit } from "./guest-exit.ts";
import type { GuestExit } from "./guest-process.ts";
import type { MessageFields, MessageMap } from "./message.ts";

/** Names a process that was started by `exec`: its process id, or the tag it was given. */
export type ProcessTarget = number | { readonly tag: string };

/** One of the processes that were started by `exec`. */
export interface GuestProcessInfo {
  readonly pid: number;
  readonly tag: string | undefined;
  /** The program as it was asked for, cut at 127 bytes. */
  readonly program: string;
  readonly hasTerminal: boolean;
  /** Whether a connection has its streams. */
  readonly isAttached: boolean;
  /** When it was started, in milliseconds of the guest's monotonic clock. */
  readonly startedMs: number;
  /** How it ended; undefined while it runs. One without a connection is kept until somebody attached to it, or 64 others have come. */
  readonly exit: GuestExit | undefined;
}

/** No agent runs more programs. */
const mostProcesses = 64;

/** Checks the answer to `execs`. */
export function parseProcesses(map: MessageMap): GuestProcessInfo[] {
  return new Answer("execs", map).maps("execs", mostProcesses).map((item) => ({
    pid: item.integer("pid", 1, 0x7fff_ffff),
    tag: item.optionalText("tag"),
    program: item.text("program"),
    hasTerminal: item.boolean("pty"),
    isAttached: item.boolean("attached"),
    startedMs: item.integer("startedMs"),
    exit: item.has("code") || item.has("signal") ? parseExit(item) : undefined,
  }));
}

/**
 * The fields that name a process.
 * @throws GuestError `GUEST_BAD_REQUEST` for what names none.
 */
export function targetFields(op: string, target: ProcessTarget): MessageFields {
  if (typeof target === "number" ? Number.isInteger(target) && target > 0 : target.tag !== "") {
    return typeof target === "number" ? { pid: target } : { tag: target.tag };
  }
  throw new GuestError(
    "GUEST_BAD_REQUEST",
    `Cannot ${op}: ${JSON.stringify(target)} is neither a process id nor a tag`,
    { details: { op, outcome: "not-started" } },
  );
}
