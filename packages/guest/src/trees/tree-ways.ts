import type { Readable } from "node:stream";
import type { FileOptions, ReadOptions, WriteOptions } from "../file-request.ts";
import type { GuestFileStatus, GuestName } from "../file-status.ts";
import type { MessageFields } from "../message.ts";
import type { GuestStream } from "../stream-operation.ts";

/** What trees are moved by: operations on single files, and streams. */
export interface TreeWays {
  stat(path: GuestName, options: FileOptions): Promise<GuestFileStatus>;
  read(path: GuestName, options: ReadOptions): Promise<Readable>;
  write(path: GuestName, content: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void>;
  stream(
    op: string,
    fields: MessageFields,
    options: FileOptions,
    hasInput: boolean,
  ): Promise<GuestStream>;
}

/** The part of options that operations in the guest take. */
export function fileOptions({ user, timeoutMs, signal }: FileOptions): FileOptions {
  return {
    ...(user !== undefined && { user }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(signal && { signal }),
  };
}
