import { Duplex } from "node:stream";
import { Connection } from "../src/connection.ts";
import { receiveWindow } from "../src/credit.ts";
import { Deadline } from "../src/deadline.ts";
import { isGuestError } from "../src/errors.ts";
import { startProcess } from "../src/exec-operation.ts";
import { execRequest } from "../src/exec-request.ts";
import type { GuestExit, GuestProcess } from "../src/guest-process.ts";
import { handshakeRecordLength, type Welcome, WelcomeScanner } from "../src/handshake.ts";
import { encodeMessage } from "../src/message-encode.ts";
import { Session } from "../src/session.ts";
import { nonces } from "./corpus.ts";

/** What came of one stream. */
export interface Outcome {
  /** How far it came: no welcome, refused start, or a process. */
  readonly stage: "no-welcome" | "not-started" | "started";
  readonly exit?: GuestExit;
  /** Code of the error that ended it. */
  readonly code?: string;
  readonly stdout: Buffer;
}

/** Room of one stream's buffer beside the window. */
const bufferLimit = 65_536 + 32_768;

/**
 * Feeds pieces of an agent's stream to the host's whole parser, as the answer to an exec, then hangs up.
 * @throws Error when the parser breaks a promise: throws what is no GuestError, keeps too much, or leaves something unsettled.
 */
export async function feed(pieces: readonly Buffer[]): Promise<Outcome> {
  const scanner = new WelcomeScanner(nonces.host);
  let index = 0;
  let welcome: Welcome | undefined;
  while (welcome === undefined && index < pieces.length) {
    welcome = scanner.push(pieces[index] ?? Buffer.alloc(0));
    index += 1;
    check(scanner.heldLength < handshakeRecordLength, "the scanner holds more than a record");
  }
  if (welcome === undefined) return { stage: "no-welcome", stdout: Buffer.alloc(0) };
  const stream = new Duplex({
    read() {},
    write: (_chunk, _encoding, callback) => callback(),
    final: (callback) => callback(),
  });
  // Data is delivered here and now, so that what a listener throws comes back to us.
  const session = new Session(new Connection(stream), { ...welcome, rest: Buffer.alloc(0) });
  const deadline = new Deadline("exec", 60_000, undefined);
  const options = { stdin: true };
  const request = encodeMessage(execRequest(["sh"], options));
  const starting = startProcess({
    session,
    op: "exec",
    request,
    options,
    deadline,
    release: () => {},
  });
  let child: GuestProcess | undefined;
  let failure: unknown;
  const settled = starting.then(
    (process) => (child = process),
    (error: unknown) => (failure = error),
  );
  for (const piece of [welcome.rest, ...pieces.slice(index)]) {
    if (piece.length > 0) stream.emit("data", piece);
    await Promise.resolve();
    if (child === undefined) continue;
    const { stdout, stderr } = child;
    const held = stdout.readableLength + stderr.readableLength;
    check(held <= receiveWindow + 2 * bufferLimit, `${held} bytes are held`);
  }
  stream.destroy();
  await settled;
  deadline.dispose();
  await session.close();
  if (child === undefined) {
    check(isGuestError(failure), "the start failed with something that is no GuestError");
    return { stage: "not-started", code: codeOf(failure), stdout: Buffer.alloc(0) };
  }
  return await outcomeOf(child);
}

async function outcomeOf(child: GuestProcess): Promise<Outcome> {
  const [exit, stdout] = await Promise.allSettled([child.exited, readAll(child), drain(child)]);
  if (exit.status === "rejected")
    check(isGuestError(exit.reason), "exited rejected with something that is no GuestError");
  if (stdout.status === "rejected")
    check(isGuestError(stdout.reason), "stdout failed with something that is no GuestError");
  return {
    stage: "started",
    ...(exit.status === "fulfilled" && { exit: exit.value }),
    ...(exit.status === "rejected" && { code: codeOf(exit.reason) }),
    stdout: stdout.status === "fulfilled" ? stdout.value : Buffer.alloc(0),
  };
}

async function readAll({ stdout }: GuestProcess): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stdout) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function drain({ stderr }: GuestProcess): Promise<void> {
  for await (const piece of stderr)
    check(piece instanceof Buffer, "stderr yields something that is no buffer");
}

function codeOf(error: unknown): string {
  return isGuestError(error) ? error.code : "";
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
