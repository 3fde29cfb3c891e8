import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createSocketServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A directory for one test, removed after it. */
export async function testDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "virga-test-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** One call the fake API received. */
export interface FakeCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Serves HTTP on the Unix socket `path`; `answer` decides each reply. Tells the calls it got. */
export async function serveApi(
  context: TestContext,
  path: string,
  answer: (call: FakeCall, response: ServerResponse) => void,
): Promise<FakeCall[]> {
  const calls: FakeCall[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const call = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(pieces).toString("utf8"),
      };
      calls.push(call);
      answer(call, response);
    });
  });
  await listen(context, server, path);
  return calls;
}

/** Serves raw bytes on the Unix socket `path`. */
export async function serveSocket(
  context: TestContext,
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<void> {
  const server = createSocketServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await listen(context, server, path);
}

async function listen(context: TestContext, server: Server, path: string): Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
}
