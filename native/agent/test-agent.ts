// The agent under sanitizers, as an ordinary process over socket pairs.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { AgentClient, GuestError, type GuestErrorCode } from "@virga/guest";
import { nativeTestProgram } from "../test-program.ts";

const connectionCount = 70;

/** An agent that serves many connections. When its test ends it must end by itself, without a fault. */
export async function startAgent(t: TestContext): Promise<AgentClient> {
  const program = await nativeTestProgram("agent", true);
  const numbers = Array.from({ length: connectionCount }, (_, index) => 3 + index);
  const child: ChildProcess = spawn(
    program,
    numbers.flatMap((number) => ["--fd", `${number}`]),
    { stdio: ["ignore", "inherit", "inherit", ...numbers.map(() => "pipe" as const)] },
  );
  const exit = once(child, "exit");
  const streams = child.stdio.slice(3) as unknown as Duplex[];
  const client = new AgentClient({
    connect: () => {
      const stream = streams.pop();
      return stream ? Promise.resolve(stream) : Promise.reject(new Error("no socket is left"));
    },
  });
  t.after(async () => {
    await client.close();
    for (const stream of streams) stream.destroy();
    assert.deepEqual(await exit, [0, null]);
  });
  return client;
}

/** Tells whether an error has this code and says this. */
export function matching(code: GuestErrorCode, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof GuestError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}
