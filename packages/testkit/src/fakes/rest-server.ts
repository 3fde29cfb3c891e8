import { createServer, type Server, type Socket } from "node:net";
import type { Outcome, Reply } from "./call-rule.ts";

/** One request as Cloud Hypervisor's small HTTP server sees it. */
export interface RestRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

const MAX_CONNECTIONS = 10;
const TOO_MANY = '{"error":"Too many open connections"}';
const MAX_LINE_BYTES = 1024;
const MAX_BODY_BYTES = 51_200;

/**
 * Cloud Hypervisor's HTTP server, with its limits: ten connections, lines of 1024 bytes, bodies of 51,200 bytes, no chunked bodies, and no answer
 * for a client that has half-closed.
 */
export function restServer(handle: (request: RestRequest) => Promise<Reply>): Server {
  let connections = 0;
  return createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("close", () => connections--);
    if (++connections <= MAX_CONNECTIONS) serve(socket, handle);
    else socket.end(head(503, TOO_MANY.length) + TOO_MANY);
  });
}

function serve(socket: Socket, handle: (request: RestRequest) => Promise<Reply>): void {
  let received = Buffer.alloc(0);
  let busy = false;
  const next = async (): Promise<void> => {
    if (busy) return;
    const parsed = parse(received);
    if (parsed === undefined) return;
    busy = true;
    received = received.subarray(parsed.used);
    if (parsed.request === undefined) answer(socket, invalid(parsed.problem));
    else await send(socket, await handle(parsed.request));
    busy = false;
    if (!socket.destroyed) await next();
  };
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    void next();
  });
}

type Parsed =
  | { readonly used: number; readonly request: RestRequest; readonly problem?: undefined }
  | { readonly used: number; readonly request?: undefined; readonly problem: string };

function parse(received: Buffer): Parsed | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...fields] = received.toString("latin1", 0, end).split("\r\n");
  const headers = new Map(
    fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const [method = "", path = ""] = first.split(" ");
  // A chunked body is not decoded: for the server the request has none, and its bytes are the next request.
  const length = Number(headers.get("content-length") ?? 0);
  const start = end + 4;
  if ([first, ...fields].some((line) => line.length > MAX_LINE_BYTES)) {
    return { used: received.length, problem: "Header line too long" };
  }
  if (!(length <= MAX_BODY_BYTES)) return { used: received.length, problem: "Body too large" };
  if (received.length < start + length) return undefined;
  const body = received.toString("utf8", start, start + length);
  return { used: start + length, request: { method, path, body } };
}

function invalid(problem: string): Outcome {
  // The real server puts a raw newline into the string, so that the object is not JSON.
  return {
    status: 400,
    value: `{"error": "${problem}\nAll previous unanswered requests dropped."}`,
  };
}

function head(status: number, length: number | undefined): string {
  const type = "Server: Cloud Hypervisor API\r\nConnection: keep-alive\r\n";
  const size =
    length === undefined ? "" : `Content-Type: application/json\r\nContent-Length: ${length}\r\n`;
  return `HTTP/1.1 ${status} \r\n${type}${size}\r\n`;
}

function text(outcome: Outcome): string | undefined {
  if ("chain" in outcome) return JSON.stringify(outcome.chain);
  if (outcome.value === undefined) return outcome.status === 204 ? undefined : "";
  return typeof outcome.value === "string" ? outcome.value : JSON.stringify(outcome.value);
}

function answer(socket: Socket, outcome: Outcome): void {
  const body = text(outcome);
  const length = body === undefined ? undefined : Buffer.byteLength(body);
  // The real server drops the answer of a client that has sent its FIN.
  if (!socket.readableEnded) socket.write(head(outcome.status, length) + (body ?? ""));
}

async function send(socket: Socket, reply: Reply): Promise<void> {
  switch (reply.how) {
    case "answer":
      answer(socket, reply.outcome);
      return;
    case "garbage":
      socket.write("\u0000\u0001 this is not HTTP \r\n\r\n\r\n");
      return;
    case "cut": {
      const whole = head(200, 4096) + '{"state":';
      await new Promise<void>((resolve) => socket.write(whole, () => resolve()));
      socket.destroy();
      return;
    }
    case "flood":
      await flood(socket, reply.bytes);
  }
}

/** Writes a body of `bytes`, as fast as the client takes it, until the client has enough. */
export async function flood(
  socket: Socket,
  bytes: number,
  prefix = head(200, bytes),
): Promise<void> {
  const block = Buffer.alloc(65_536, "x");
  socket.write(prefix);
  for (let sent = 0; sent < bytes && !socket.destroyed; sent += block.length) {
    if (socket.write(block)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off("drain", go).off("close", go);
        resolve();
      };
      socket.on("drain", go).on("close", go);
    });
  }
}
