import { Duplex } from "node:stream";
import { Answer } from "../src/answer.ts";
import { Connection } from "../src/connection.ts";
import { Deadline } from "../src/deadline.ts";
import { isGuestError } from "../src/errors.ts";
import { parseStatus } from "../src/file-status.ts";
import { type GuestFileEntry, GuestFiles } from "../src/files.ts";
import { frameTypes } from "../src/frame.ts";
import { type Welcome, WelcomeScanner } from "../src/handshake.ts";
import { encodeMessage } from "../src/message-encode.ts";
import type { MessageFields } from "../src/message.ts";
import { Session } from "../src/session.ts";
import { startStream } from "../src/stream-operation.ts";
import { type CorpusEntry, nonces, streamOf } from "./corpus.ts";

/** What came of one stream as the answer to a list of files. */
export interface ListOutcome {
  readonly entries: number;
  /** Code of the error that ended it. */
  readonly code?: string;
}

const status: MessageFields = {
  type: "file",
  size: 5,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeNs: [-1, 5],
};

/** A message as it stands in a stream of them. */
export function record(fields: MessageFields): Buffer {
  const body = encodeMessage(fields);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

function frame(type: number, ...parts: readonly Uint8Array[]): { type: number; payload: Buffer } {
  return { type, payload: Buffer.concat(parts) };
}

const records = Buffer.concat([
  record({ path: "a", ...status }),
  record({ path: Buffer.of(0xff), ...status, type: "link", target: "b" }),
  record({ path: "closed", ...status, type: "directory" }),
  record({ path: "closed", errno: 13 }),
]);

/** Answers to a list of files: right ones, from which the others are made. */
export const listCorpus: readonly CorpusEntry[] = [
  {
    name: "list",
    stream: streamOf([
      frame(frameTypes.response, encodeMessage({ ok: true })),
      frame(frameTypes.data, Buffer.of(1), records.subarray(0, 100)),
      frame(frameTypes.data, Buffer.of(1), records.subarray(100)),
      frame(frameTypes.eof, Buffer.of(1)),
      frame(frameTypes.event, encodeMessage({ event: "done" })),
      frame(frameTypes.end),
    ]),
  },
  {
    name: "list-fails",
    stream: streamOf([
      frame(frameTypes.response, encodeMessage({ ok: true })),
      frame(frameTypes.data, Buffer.of(1), records),
      frame(frameTypes.event, encodeMessage({ event: "failed", code: "FAILED", message: "no" })),
      frame(frameTypes.end),
    ]),
  },
];

/**
 * Takes a stream as an agent's answer to a list of files, then hangs up.
 * @throws Error when the parser breaks a promise: what it throws is no GuestError, or an entry is not what its type says.
 */
export async function feedList(pieces: readonly Buffer[]): Promise<ListOutcome> {
  const scanner = new WelcomeScanner(nonces.host);
  let welcome: Welcome | undefined;
  let index = 0;
  for (; welcome === undefined && index < pieces.length; index += 1)
    welcome = scanner.push(pieces[index] ?? Buffer.alloc(0));
  if (welcome === undefined) return { entries: 0, code: "no welcome" };
  const stream = new Duplex({
    read() {},
    write: (_chunk, _encoding, callback) => callback(),
    final: (callback) => callback(),
  });
  const session = new Session(new Connection(stream), { ...welcome, rest: Buffer.alloc(0) });
  const listing = listOn(session);
  for (const piece of [welcome.rest, ...pieces.slice(index)]) {
    if (piece.length > 0) stream.emit("data", piece);
    await Promise.resolve();
  }
  stream.destroy();
  const outcome = await listing;
  await session.close();
  return outcome;
}

async function listOn(session: Session): Promise<ListOutcome> {
  const deadline = new Deadline("file.list", 60_000, undefined);
  const files = new GuestFiles({
    call: () => Promise.reject(new Error("a list needs no other call")),
    stream: (op, fields, { signal }, hasInput) =>
      startStream({
        session,
        op,
        request: encodeMessage({ op, ...fields }),
        hasInput,
        deadline,
        signal,
        release: () => {},
      }),
  });
  let entries = 0;
  try {
    for await (const entry of files.list("/", { depth: 3 })) {
      checkEntry(entry);
      entries += 1;
    }
    return { entries };
  } catch (error) {
    if (!isGuestError(error)) throw error;
    return { entries, code: error.code };
  } finally {
    deadline.dispose();
  }
}

function checkEntry(entry: GuestFileEntry): void {
  const path = Buffer.from(entry.path as string);
  if (path.length === 0 || path.includes(0)) throw new Error("an entry with a path that is none");
  if (entry.errno !== undefined) return;
  const { mtimeNs, target, path: _, ...rest } = entry;
  const second = 1_000_000_000n;
  const nanoseconds = ((mtimeNs % second) + second) % second;
  const time = [Number((mtimeNs - nanoseconds) / second), Number(nanoseconds)] as const;
  // A status that is read again from its own fields must be the same.
  const fields = new Map<string, never>(
    Object.entries({ ...rest, mtimeNs: time, target } as never),
  );
  if (target === undefined) fields.delete("target");
  parseStatus(new Answer("file.list", fields));
}
