import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, errnoOf, errorText } from "../../errors.ts";
import type { CallOptions } from "../port.ts";

/** Port the agent in the guest listens on. */
const AGENT_PORT = 1024;

/** Connections one vsock device carries at the same time. */
export const MAX_CONNECTIONS = 1023;

/** An answer is `OK <number>` and a newline; the device reads and writes at most this much for it. */
const MAX_ANSWER_BYTES = 32;

/** One try: longer than the 2,000 ms after which the device itself gives a request up. */
const ATTEMPT_MS = 3_000;

const BACK_OFF_MS = [5, 10, 20, 50, 100] as const;

/** Errors of a device or guest that is not ready yet, or not any more. */
const NOT_READY = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE", "EAGAIN"]);

/**
 * Connects to the agent through the hybrid vsock socket `path`. The socket is there before the guest's driver is, and early requests may be dropped, so
 * it tries until an `OK` or the deadline: `TIMEOUT`, with the last failure as its cause; `HYPERVISOR_PROTOCOL` where the answer is something else.
 */
export async function connectVsock(path: string, options: CallOptions): Promise<Duplex> {
  const { timeoutMs, signal } = options;
  const what = `connecting to the guest through ${path}`;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (let attempt = 0; ; attempt++) {
    if (signal?.aborted === true) throw abortedError(what, signal);
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0) throw nobodyListens(path, timeoutMs, last);
    const socket = connect({ path });
    try {
      await handshake(socket, path, Math.min(ATTEMPT_MS, remainingMs), signal);
      return releasing(socket);
    } catch (error) {
      socket.destroy();
      if (!(error instanceof NotReady)) throw error;
      last = error;
    }
    const waitMs = BACK_OFF_MS[Math.min(attempt, BACK_OFF_MS.length - 1)] ?? 100;
    await sleep(Math.min(waitMs, Math.max(0, deadline - performance.now())), undefined, {
      signal,
    }).catch(() => undefined);
  }
}

/** A failure that a later try may not have. */
class NotReady extends Error {}

function handshake(
  socket: Socket,
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("readable", onReadable).off("close", onClose);
      finish();
    };
    const onAbort = (): void => {
      if (signal !== undefined)
        settle(() => reject(abortedError(`connecting to the guest through ${path}`, signal)));
    };
    const onClose = (): void =>
      settle(() =>
        reject(
          new NotReady("the connection was closed without an OK: nobody listens in the guest"),
        ),
      );
    const onReadable = (): void => {
      let piece: Buffer | null;
      while ((piece = socket.read() as Buffer | null) !== null) {
        answer = Buffer.concat([answer, piece]);
        const end = answer.indexOf(0x0a);
        if (end < 0 && answer.length < MAX_ANSWER_BYTES) continue;
        const line = answer.toString("latin1", 0, end < 0 ? MAX_ANSWER_BYTES : end);
        if (end < 0 || !/^OK [0-9]{1,10}$/u.test(line)) {
          settle(() => reject(notVsock(path, line)));
          return;
        }
        const rest = answer.subarray(end + 1);
        settle(() => {
          // The agent may have spoken already, in the same piece.
          if (rest.length > 0) socket.unshift(rest);
          resolve();
        });
        return;
      }
    };
    const timer = setTimeout(
      () => settle(() => reject(new NotReady(`no answer within ${Math.round(timeoutMs)} ms`))),
      timeoutMs,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.on("error", (error) => {
      const ready = !NOT_READY.has(errnoOf(error) ?? "");
      settle(() =>
        reject(
          ready ? cannotConnect(path, error) : new NotReady(errorText(error), { cause: error }),
        ),
      );
    });
    socket.on("readable", onReadable).on("close", onClose);
    // In one write: the device has no patience with half a request.
    socket.write(`CONNECT ${AGENT_PORT}\n`);
  });
}

/** There is no half-close on the guest channel: ending the stream closes the connection when all is written. */
function releasing(socket: Socket): Duplex {
  // The listener of the handshake stays: a guest that resets the connection before the caller listens must not end the process.
  socket.once("finish", () => socket.destroy());
  return socket;
}

function nobodyListens(path: string, timeoutMs: number, cause: unknown): VirgaError {
  const last = cause === undefined ? "" : ` (last: ${errorText(cause)})`;
  return new VirgaError("TIMEOUT", `No agent answered in the guest within ${timeoutMs} ms${last}`, {
    cause,
    details: { path, timeoutMs },
  });
}

function notVsock(path: string, line: string): VirgaError {
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Expected OK from the guest's vsock device at ${path}, got ${JSON.stringify(line)}`,
    {
      details: { path, line },
    },
  );
}

function cannotConnect(path: string, error: Error): VirgaError {
  return new VirgaError(
    "IO_ERROR",
    `Cannot connect to the guest's vsock device at ${path}: ${errorText(error)}`,
    {
      cause: error,
      details: { path, errno: errnoOf(error) ?? null },
    },
  );
}
