import { createReadStream, writeSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Readable } from "node:stream";

/** What a fake QEMU puts into its migration stream. */
export interface MigrationStream {
  /** The memory's content, base64; absent when it stays in a shared file. */
  readonly memory: string | undefined;
  readonly memoryBytes: number;
  readonly balloonBytes: number;
}

/** The first bytes of a real stream: magic and version. */
const HEADER = Buffer.from("5145564d00000003", "hex");
const LONGEST_BYTES = 65_536;

/** The bytes of a state, in a stream or in a file. */
export function encodeMigration(stream: MigrationStream): Buffer {
  return Buffer.concat([HEADER, Buffer.from(`${JSON.stringify(stream)}\n`)]);
}

/** Writes the state to `unix:PATH`, which somebody listens on, or to the inherited descriptor of `fd:N`. */
export function sendMigration(uri: string, stream: MigrationStream): Promise<void> {
  const bytes = encodeMigration(stream);
  const [, scheme, place = ""] = /^(unix|fd):(.*)$/.exec(uri) ?? [];
  if (scheme === undefined) return Promise.reject(new Error(`unknown migration protocol: ${uri}`));
  if (scheme === "fd") {
    writeSync(Number(place), bytes);
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const socket = connect(place);
    socket.once("error", reject);
    socket.once("connect", () => socket.end(bytes));
    socket.once("close", (hadError) => {
      if (!hadError) resolve();
    });
    socket.resume();
  });
}

/** Takes the state from `unix:PATH`, where it listens, or from the inherited descriptor of `fd:N`. */
export function receiveMigration(uri: string): {
  readonly listening: Promise<void>;
  readonly received: Promise<MigrationStream>;
} {
  const [, scheme, place = ""] = /^(unix|fd):(.*)$/.exec(uri) ?? [];
  if (scheme === undefined) throw new Error(`unknown migration protocol: ${uri}`);
  if (scheme === "fd") {
    const received = read(createReadStream("", { fd: Number(place), autoClose: false }));
    return { listening: Promise.resolve(), received };
  }
  const listening = Promise.withResolvers<void>();
  const received = new Promise<MigrationStream>((resolve, reject) => {
    const server = createServer((socket) => {
      server.close();
      read(socket).then(resolve, reject);
    });
    server.once("error", (error) => {
      listening.reject(error);
      reject(error);
    });
    server.listen(place, () => listening.resolve());
  });
  return { listening: listening.promise, received };
}

/** The real one knows the end of the stream by its content, not by its closing. */
async function read(source: Readable): Promise<MigrationStream> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of source) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    const known = bytes.subarray(0, HEADER.length);
    if (!HEADER.subarray(0, known.length).equals(known)) throw new Error("Not a migration stream");
    const end = bytes.indexOf("\n", HEADER.length);
    if (end >= 0) return JSON.parse(bytes.toString("utf8", HEADER.length, end)) as MigrationStream;
    if (bytes.length > LONGEST_BYTES) break;
  }
  throw new Error("Input/output error");
}
