import { Answer } from "./answer.ts";
import { GuestError } from "./errors.ts";
import type { GuestName } from "./file-status.ts";
import type { MessageMap } from "./message.ts";
import { readRecords } from "./record-reader.ts";
import type { GuestStream } from "./stream-operation.ts";

/**
 * Something that happened to a watched file. Paths are relative to what is watched, which is itself `"."`.
 * `overflow`: so much happened that some of it was lost, and what is there must be looked at anew.
 * `unwatched`: this directory and what is below it cannot be watched, `errno` says why.
 */
export type GuestFileEvent =
  | { readonly event: "created" | "modified" | "removed"; readonly path: GuestName }
  | { readonly event: "renamed"; readonly path: GuestName; readonly to: GuestName }
  | { readonly event: "unwatched"; readonly path: GuestName; readonly errno: number }
  | { readonly event: "overflow" };

const events = ["created", "modified", "removed", "renamed", "unwatched", "overflow"] as const;

/** No more directories may be told of as unwatched before it watches. */
const maxEarlyEvents = 10_000;

/** Checks one record of a watch. */
export function parseFileEvent(map: MessageMap): GuestFileEvent {
  const answer = new Answer("file.watch", map);
  const event = answer.oneOf("event", events);
  if (event === "overflow") return { event };
  const path = answer.name("path");
  if (event === "renamed") return { event, path, to: answer.name("to") };
  if (event === "unwatched") return { event, path, errno: answer.integer("errno", 1, 4_095) };
  return { event, path };
}

/**
 * What happens to watched files, to be gone through once. It ends when what is watched is removed.
 * A reader that is too slow loses nothing silently: the guest's kernel keeps some thousand events, and then there is an `overflow`.
 */
export class GuestWatch implements AsyncIterable<GuestFileEvent>, AsyncDisposable {
  readonly #stream: GuestStream;
  readonly #events: AsyncGenerator<GuestFileEvent>;

  private constructor(stream: GuestStream, events: AsyncGenerator<GuestFileEvent>) {
    this.#stream = stream;
    this.#events = events;
  }

  /** Waits until the agent watches. */
  static async on(stream: GuestStream): Promise<GuestWatch> {
    const records = readRecords(stream.output);
    const early: GuestFileEvent[] = [];
    try {
      for (;;) {
        const { value, done } = await records.next();
        if (done === true) bad("the end of a watch that did not begin");
        if ((value as MessageMap).get("event") === "ready") break;
        if (early.length === maxEarlyEvents) bad("too many events before its watch began");
        early.push(parseFileEvent(value as MessageMap));
      }
    } catch (error) {
      await stream.close();
      throw error;
    }
    return new GuestWatch(stream, follow(early, records));
  }

  /** Ends the watch in the guest. */
  async close(): Promise<void> {
    await this.#stream.close();
  }

  [Symbol.asyncIterator](): AsyncGenerator<GuestFileEvent> {
    return this.#events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function* follow(
  early: readonly GuestFileEvent[],
  records: AsyncGenerator<MessageMap>,
): AsyncGenerator<GuestFileEvent> {
  yield* early;
  for await (const record of records) yield parseFileEvent(record);
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent ${what}`, {
    details: { op: "file.watch" },
  });
}
