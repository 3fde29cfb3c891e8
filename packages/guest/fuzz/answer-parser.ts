import { Readable } from "node:stream";
import { Answer } from "../src/answer.ts";
import { isGuestError } from "../src/errors.ts";
import { parseStatus } from "../src/file-status.ts";
import { type GuestFileEvent, GuestWatch } from "../src/guest-watch.ts";
import { parsePort } from "../src/guest-port.ts";
import { decodeMessage } from "../src/message-decode.ts";
import { encodeMessage } from "../src/message-encode.ts";
import type { MessageFields, MessageMap } from "../src/message.ts";
import { parsePing, parseStats } from "../src/operations.ts";
import { parseProcesses } from "../src/process-list.ts";
import { readRecords } from "../src/record-reader.ts";
import type { GuestStream } from "../src/stream-operation.ts";
import { TarStream } from "../src/trees/read-tar-stream.ts";
import { tarHeader } from "../src/trees/tar-subset.ts";
import { tarEnd, tarPadding } from "../src/write-tar-header.ts";
import { record } from "./list-parser.ts";

/** What an agent says, beneath the frames, to one kind of request. */
interface AnswerKind {
  /** A right answer, from which the others are made. */
  readonly seed: Buffer;
  /** Reads an answer; throws a GuestError for what is none, any other for a promise that is broken. Gives how many things it had. */
  readonly read: (pieces: readonly Buffer[]) => Promise<number>;
}

/** One that is read whole, as an answer is. */
function message(fields: MessageFields, parse: (map: MessageMap) => unknown): AnswerKind {
  return {
    seed: Buffer.from(encodeMessage(fields)),
    read: async (pieces) => {
      parse(decodeMessage(Buffer.concat(pieces)));
      return 1;
    },
  };
}

async function readWatch(pieces: readonly Buffer[]): Promise<number> {
  const output = Readable.from(pieces, { objectMode: false });
  // All that a watch uses of its stream.
  const stream = { output, close: async () => void output.destroy() } as unknown as GuestStream;
  let count = 0;
  for await (const event of await GuestWatch.on(stream)) {
    checkEvent(event);
    count += 1;
  }
  return count;
}

function checkEvent(event: GuestFileEvent): void {
  const names = [
    "path" in event ? event.path : "x",
    event.event === "renamed" ? event.to : "x",
  ].map((name) => Buffer.from(name as string));
  if (names.some((name) => name.length === 0 || name.includes(0)))
    throw new Error("an event with a path that is none");
}

async function readPorts(pieces: readonly Buffer[]): Promise<number> {
  let count = 0;
  for await (const map of readRecords(Readable.from(pieces, { objectMode: false }))) {
    const { port } = parsePort(map);
    if (!(port >= 1 && port <= 65_535)) throw new Error("a port that is none");
    count += 1;
  }
  return count;
}

async function readArchive(pieces: readonly Buffer[]): Promise<number> {
  const archive = new TarStream(Readable.from(pieces, { objectMode: false }));
  const given = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let count = 0;
  let bytes = 0;
  for (let entry = await archive.next(); entry !== undefined; entry = await archive.next()) {
    const { name, target, mode, size } = entry;
    if (name.includes("\0") || target.includes("\0") || name.length > 4_095 || mode > 0o7777)
      throw new Error("an entry that cannot be");
    if (size > 0 && entry.type !== "file") throw new Error("a content of what is no file");
    for await (const piece of archive.content()) bytes += piece.length;
    count += 1;
  }
  if (bytes > given || count * 512 > given) throw new Error("more came out than went in");
  return count;
}

const entry = { mode: 0o644, size: 0, mtime: 1_000_000_000, target: "" } as const;
const archive = Buffer.concat([
  tarHeader({ ...entry, type: "directory", name: "." }),
  tarHeader({ ...entry, type: "file", name: "n".repeat(150), size: 700 }),
  Buffer.alloc(700, "content"),
  Buffer.alloc(tarPadding(700)),
  tarHeader({ ...entry, type: "link", name: "link", target: "t".repeat(200) }),
  tarEnd,
]);

const status = { size: 5, mode: 0o644, uid: 0, gid: 0, mtimeNs: [-1, 5] };
const counts = { cpus: 2, cpuBusyMs: 5, cpuTotalMs: 9, diskTotalKib: 9, diskFreeKib: 5 };
const memory = { memoryTotalKib: 9, memoryFreeKib: 3, memoryAvailableKib: 4 };

/** Every kind of answer that the targets `exec` and `list` do not have. */
export const answerKinds: Readonly<Record<string, AnswerKind>> = {
  watch: {
    seed: Buffer.concat([
      record({ event: "unwatched", path: "closed", errno: 13 }),
      record({ event: "ready" }),
      record({ event: "created", path: "a" }),
      record({ event: "renamed", path: Buffer.of(0xff), to: "b" }),
      record({ event: "overflow" }),
      record({ event: "removed", path: "." }),
    ]),
    read: readWatch,
  },
  ports: {
    seed: Buffer.concat([
      record({ port: 22, address: "0.0.0.0", uid: 0 }),
      record({ port: 65_535, address: "::1", uid: 4_294_967_295 }),
    ]),
    read: readPorts,
  },
  archive: { seed: archive, read: readArchive },
  execs: message(
    {
      ok: true,
      execs: [
        { pid: 7, tag: "t", program: "sh", pty: true, attached: true, startedMs: 5 },
        { pid: 8, program: "ls", pty: false, attached: false, startedMs: 6, signal: 9, core: true },
        { pid: 9, program: "ls", pty: false, attached: false, startedMs: 7, code: 1 },
      ],
    },
    parseProcesses,
  ),
  stat: message({ ok: true, type: "link", target: Buffer.of(0xff), ...status }, (map) =>
    parseStatus(new Answer("file.stat", map)),
  ),
  attributes: message(
    { ok: true, attributes: { a: Buffer.from("1"), b: Buffer.alloc(0) } },
    (map) => new Answer("file.attributes", map).bytesByName("attributes"),
  ),
  ping: message(
    { ok: true, version: 1, agent: "0.1.0", bootMs: 5, prepared: false, initialised: true },
    parsePing,
  ),
  stats: message(
    {
      ok: true,
      uptimeMs: 5,
      loadAverage: [1, 2, 3],
      processes: 4,
      agentResidentKib: 200,
      ...counts,
      ...memory,
    },
    parseStats,
  ),
};

/**
 * Reads pieces as an answer of that kind. Gives `"done"`, or the code of the GuestError it ended with.
 * @throws Error when a promise is broken.
 */
export async function feedAnswer(kind: AnswerKind, pieces: readonly Buffer[]): Promise<string> {
  try {
    await kind.read(pieces);
    return "done";
  } catch (error) {
    if (!isGuestError(error)) throw error;
    return error.code;
  }
}
