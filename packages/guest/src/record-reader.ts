import { GuestError } from "./errors.ts";
import { decodeMessage } from "./message-decode.ts";
import type { MessageMap } from "./message.ts";

/** Longest record, in bytes: what fits into a frame. */
const maxRecordLength = 32_768;

/**
 * Reads a stream of maps, each behind its length in four bytes. Holds at most one incomplete record.
 * @throws GuestError `GUEST_PROTOCOL` for what is none, or what the stream fails with.
 */
export async function* readRecords(stream: AsyncIterable<Buffer>): AsyncGenerator<MessageMap> {
  let held: Buffer = Buffer.alloc(0);
  for await (const piece of stream) {
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    let offset = 0;
    while (held.length - offset >= 4) {
      const length = held.readUInt32LE(offset);
      if (length > maxRecordLength) bad(`a record of ${length} bytes`);
      if (held.length - offset - 4 < length) break;
      yield decodeMessage(held.subarray(offset + 4, offset + 4 + length));
      offset += 4 + length;
    }
    held = held.subarray(offset);
  }
  if (held.length > 0) bad("a record that is cut short");
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent ${what}`);
}
