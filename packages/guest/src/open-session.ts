import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "./connection.ts";
import type { Deadline } from "./deadline.ts";
import { GuestError, isVirgaError } from "./errors.ts";
import {
  fillerLength,
  helloRecord,
  nonceLength,
  type Welcome,
  WelcomeScanner,
} from "./handshake.ts";
import type { GuestLogger } from "./logger.ts";
import { Session } from "./session.ts";

/** After this long without a welcome the hello is repeated, in milliseconds. */
const repeatHelloMs = 100;

/** After this long without a welcome the connection is given up, in milliseconds. */
const welcomeTimeoutMs = 500;

/** Pause before connecting anew, in milliseconds, so that a peer that hangs up at once is not called in a tight loop. */
const reconnectPauseMs = 20;

/** What {@link Connect} is given. */
export interface ConnectOptions {
  /** Milliseconds until the caller gives up. */
  readonly timeoutMs: number;
  /** Aborted when the caller gives up. A stream that comes later is closed. */
  readonly signal: AbortSignal;
}

/**
 * Opens a byte stream to the agent. It may wait for a guest that is not there yet, until the signal; when it rejects, the call that
 * needed the connection fails at once. The stream must emit `close`; its end means that the peer is gone.
 */
export type Connect = (options: ConnectOptions) => Promise<Duplex>;

/**
 * Opens connections until an agent welcomes us or the deadline is over.
 * @throws GuestError `GUEST_TIMEOUT`, `ABORTED`, or `GUEST_CONNECTION_LOST` when `connect` rejects; a branded error of `connect` passes unchanged.
 */
export async function openSession(
  connect: Connect,
  deadline: Deadline,
  logger: GuestLogger | undefined,
): Promise<Session> {
  for (let attempt = 1; ; attempt += 1) {
    const connection = new Connection(await callConnect(connect, deadline));
    const welcome = await shakeHands(connection, deadline);
    if (welcome !== undefined) {
      if (attempt > 1) logger?.debug({ attempt }, "the guest agent answered");
      return new Session(connection, welcome);
    }
    logger?.debug({ attempt }, "no welcome from the guest agent");
    await connection.close();
    if (!deadline.signal.aborted) {
      // Only the deadline can reject this, and the next line says so.
      await sleep(reconnectPauseMs, undefined, { signal: deadline.signal }).catch(() => {});
    }
    if (deadline.signal.aborted) throw deadline.error("not-started");
  }
}

async function callConnect(connect: Connect, deadline: Deadline): Promise<Duplex> {
  if (deadline.signal.aborted) throw deadline.error("not-started");
  const over = Promise.withResolvers<undefined>();
  const release = deadline.onOver(() => over.resolve(undefined));
  const { remainingMs: timeoutMs, signal } = deadline;
  // As a promise also of what it throws before it returns one.
  const connecting = (async () => await connect({ timeoutMs, signal }))();
  try {
    const stream = await Promise.race([connecting, over.promise]);
    if (stream !== undefined) return stream;
  } catch (error) {
    if (deadline.signal.aborted) throw deadline.error("not-started");
    if (isVirgaError(error)) throw error;
    throw new GuestError("GUEST_CONNECTION_LOST", "Cannot connect to the guest agent", {
      cause: error,
      details: { outcome: "not-started" },
    });
  } finally {
    release();
  }
  // Nobody waits for the stream any more, but it must not stay open.
  connecting.then(
    (late) => new Connection(late).close(),
    () => {},
  );
  throw deadline.error("not-started");
}

/** Undefined when no welcome came in time, the peer hung up or the deadline is over. */
function shakeHands(connection: Connection, deadline: Deadline): Promise<Welcome | undefined> {
  const hostNonce = randomBytes(nonceLength);
  const hello = helloRecord(hostNonce);
  const scanner = new WelcomeScanner(hostNonce);
  return new Promise((resolve) => {
    const settle = (welcome: Welcome | undefined): void => {
      connection.pauseReceiving();
      clearTimeout(repeat);
      clearTimeout(giveUp);
      release();
      resolve(welcome);
    };
    const repeat = setTimeout(() => {
      void connection.write(Buffer.concat([Buffer.alloc(fillerLength), hello]));
    }, repeatHelloMs);
    const giveUp = setTimeout(() => settle(undefined), welcomeTimeoutMs);
    let release = (): void => {};
    void connection.write(hello);
    connection.receive({
      onBytes(bytes) {
        const welcome = scanner.push(bytes);
        if (welcome !== undefined) settle(welcome);
      },
      onGone: () => settle(undefined),
    });
    release = deadline.onOver(() => settle(undefined));
  });
}
