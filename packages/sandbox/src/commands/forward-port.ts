import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { VirgaError, abortedError, errorText } from "@virga/vm";

const LOOPBACK = "127.0.0.1";

/** How to reach a port of a sandbox from this machine. */
export interface ForwardOptions {
  /** The port on this machine. Default: one that is free. */
  readonly localPort?: number;
  /** Whose port it is, as the guest sees it: an IP address. Default: the guest itself, what listens on its loopback only included. */
  readonly host?: string;
  /** Told why a connection could not be made, or broke. Default: it is logged. */
  readonly onError?: (error: unknown) => void;
  /** Ends it when aborted. */
  readonly signal?: AbortSignal;
}

/** What {@link forwardPort} needs. */
export interface ForwardParts extends ForwardOptions {
  readonly port: number;
  /** Opens a connection to the port in the guest. */
  readonly connect: (signal: AbortSignal) => Promise<Duplex>;
}

/** A port of a sandbox that can be reached on this machine. */
export interface PortForward extends AsyncDisposable {
  /** Where it listens: 127.0.0.1. */
  readonly address: string;
  readonly port: number;
  /** Ends its connections, and listens no more. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 and connects everybody who comes to a port of the guest. `IO_ERROR` when the local port is taken. */
export async function forwardPort(parts: ForwardParts): Promise<PortForward> {
  const { localPort = 0, signal } = parts;
  if (!Number.isInteger(localPort) || localPort < 0 || localPort > 65_535) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `Cannot listen on port ${localPort}: it is none, it must be 1 to 65535, or 0 for one that is free`,
    );
  }
  const what = `forwarding port ${parts.port}`;
  if (signal?.aborted === true) throw abortedError(what, signal);
  const end = new AbortController();
  const open = new Set<Promise<void>>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const serving = serve(socket, parts, end.signal).finally(() => open.delete(serving));
    open.add(serving);
  });
  await listen(server, localPort);
  const close = async (): Promise<void> => {
    end.abort(new Error(`${what} was ended`));
    signal?.removeEventListener("abort", onAbort);
    const closed = server.listening ? once(server, "close") : Promise.resolve();
    if (server.listening) server.close();
    await Promise.all([closed, ...open]);
  };
  const onAbort = (): void => void close();
  signal?.addEventListener("abort", onAbort, { once: true });
  const { port } = server.address() as AddressInfo;
  return { address: LOOPBACK, port, close, [Symbol.asyncDispose]: close };
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, LOOPBACK);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new VirgaError("IO_ERROR", `Cannot listen on ${LOOPBACK}:${port}: ${errorText(cause)}`, {
      cause,
      details: { port },
      hint: "Take another port, or 0 for one that is free.",
    });
  }
}

/** Joins one connection to one of its own into the guest, until both are closed. */
async function serve(socket: Socket, parts: ForwardParts, ended: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
  });
  // A client that goes away ends its connection into the guest.
  const gone = new AbortController();
  socket.once("error", () => gone.abort());
  socket.once("close", () => gone.abort());
  const signal = AbortSignal.any([ended, gone.signal]);
  signal.addEventListener("abort", () => socket.resetAndDestroy(), { once: true });
  const failed = (error: unknown): void => {
    if (!signal.aborted) parts.onError?.(error);
    // Not an end: what the client has got is not all.
    socket.resetAndDestroy();
  };
  try {
    const tunnel = await parts.connect(signal);
    await join(socket, tunnel, failed);
  } catch (error) {
    failed(error);
  }
  await closed;
}

/** Bytes both ways, each at the pace of its reader. Resolves when the guest's side is closed. */
async function join(
  socket: Socket,
  tunnel: Duplex,
  failed: (error: unknown) => void,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    tunnel.once("close", resolve);
  });
  tunnel.once("error", failed);
  socket.once("close", () => tunnel.destroy());
  // Not pipeline(): the end of one direction must not destroy what the other still has to say.
  socket.pipe(tunnel);
  tunnel.pipe(socket);
  await closed;
  // What the client still sends goes nowhere; it reads to the end what was sent to it.
  socket.end();
  socket.resume();
}
