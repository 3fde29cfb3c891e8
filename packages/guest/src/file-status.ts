import type { Answer } from "./answer.ts";

const guestFileTypes = [
  "file",
  "directory",
  "link",
  "fifo",
  "socket",
  "character-device",
  "block-device",
] as const;

/** What a file of the guest is. */
export type GuestFileType = (typeof guestFileTypes)[number];

/** A name in the guest: text, or bytes where it is none. It is the guest's: do not use it as a path of this machine. */
export type GuestName = string | Uint8Array;

/** What the guest says of a file. */
export interface GuestFileStatus {
  readonly type: GuestFileType;
  /** In bytes. */
  readonly size: number;
  /** Permissions with setuid, setgid and sticky bits: 0 … 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** When the content changed last, in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Where a symbolic link leads; undefined also for one that could not be read. */
  readonly target: GuestName | undefined;
}

/** Checks the fields of a status. */
export function parseStatus(answer: Answer): GuestFileStatus {
  return {
    type: answer.oneOf("type", guestFileTypes),
    size: answer.integer("size"),
    mode: answer.integer("mode", 0, 0o7777),
    uid: answer.integer("uid", 0, 0xffff_ffff),
    gid: answer.integer("gid", 0, 0xffff_ffff),
    mtimeNs: answer.timeNs("mtimeNs"),
    target: answer.has("target") ? answer.name("target") : undefined,
  };
}
