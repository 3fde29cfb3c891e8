import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { type FakeAgent, fakeGuest } from "../test/fake-agent.ts";
import { AgentClient } from "./agent-client.ts";
import { receiveWindow } from "./credit.ts";
import type { ExecOptions } from "./exec-request.ts";
import { frameTypes } from "./frame.ts";
import type { GuestProcess } from "./guest-process.ts";
import { decodeMessage } from "./message-decode.ts";

interface Running extends AsyncDisposable {
  readonly child: GuestProcess;
  readonly agent: FakeAgent;
}

/** A process that has started; the test plays the agent from there. */
async function start(options: ExecOptions = {}): Promise<Running> {
  const started = Promise.withResolvers<FakeAgent>();
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.request();
    agent.respond({ ok: true, pid: 7 });
    started.resolve(agent);
    await agent.closed();
  });
  const client = new AgentClient({ connect: guest.connect });
  const child = await client.exec(["sh"], options);
  return { child, agent: await started.promise, [Symbol.asyncDispose]: () => client.close() };
}

function finish(agent: FakeAgent): void {
  agent.event({ event: "exit", code: 0 });
  agent.eof(1);
  agent.eof(2);
  agent.send(frameTypes.end);
}

test("an exit by signal, with core and time limit, is told as soon as it comes", async () => {
  await using running = await start();
  running.agent.event({ event: "later than this version" });
  running.agent.event({ event: "exit", signal: 9, core: true, timedOut: true });
  assert.deepEqual(await running.child.exited, { signal: 9, coreDumped: true, timedOut: true });
  assert.equal(running.child.stdout.readableEnded, false);
});

test("stdin arrives in order and ends", async () => {
  await using running = await start({ stdin: true });
  const { agent, child } = running;
  const input = Buffer.alloc(200_000, "0123456789");
  child.stdin.end(input);
  const received: Buffer[] = [];
  for (let frame = await agent.next(); frame.type === frameTypes.data; frame = await agent.next()) {
    assert.equal(frame.payload[0], 0);
    received.push(frame.payload.subarray(1));
    agent.credit(frame.payload.length + 1_048);
  }
  assert.ok(Buffer.concat(received).equals(input));
  finish(agent);
  assert.equal((await child.exited).code, 0);
});

test("a writer whose process has ended is told to stop", async () => {
  await using running = await start({ stdin: true });
  const { agent, child } = running;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(10_000);
  }
  const writing = pipeline(endless, child.stdin);
  await agent.next();
  finish(agent);
  await assert.rejects(writing, { code: "ERR_STREAM_PREMATURE_CLOSE" });
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
  child.stdin.write("more");
});

test("a reader that stops holds the agent up, and memory stays within a window and a buffer", async () => {
  await using running = await start();
  const { agent, child } = running;
  let spent = 0;
  let sent = 0;
  const piece = Buffer.alloc(30_000, 7);
  const cost = piece.length + 1_049;
  const pump = async (): Promise<void> => {
    for (let turn = 0; turn < 100; turn += 1) {
      await agent.until(() => spent + cost - agent.returned <= receiveWindow);
      spent += cost;
      sent += piece.length;
      agent.data(1, piece);
    }
    finish(agent);
  };
  const pumping = pump();
  // A control frame comes after all that the host sent before, so nothing more will come by itself.
  await child.kill("SIGCONT");
  await agent.next();
  const beforeReading = sent;
  assert.ok(beforeReading <= receiveWindow + 65_536 + piece.length, `${beforeReading} bytes`);
  assert.equal((await buffer(child.stdout)).length, 100 * piece.length);
  await pumping;
  assert.equal(sent, 100 * piece.length);
});

test("output that nobody reads is still there after the end", async () => {
  await using running = await start();
  const { agent, child } = running;
  for (let turn = 0; turn < 4; turn += 1) agent.data(1, Buffer.alloc(30_000, 65 + turn));
  finish(agent);
  await agent.closed();
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
  const output = await text(child.stdout);
  assert.equal(output.length, 120_000);
  assert.match(output, /^A+B+C+D+$/);
});

test("output that is complete survives the loss of its connection, other output does not", async () => {
  await using running = await start();
  const { agent, child } = running;
  for (let turn = 0; turn < 3; turn += 1) agent.data(1, Buffer.alloc(30_000, 65));
  agent.data(2, "half");
  agent.event({ event: "exit", code: 4 });
  agent.eof(1);
  assert.deepEqual(await child.exited, { code: 4, timedOut: false });
  await child.kill();
  agent.hangUp();
  await assert.rejects(text(child.stderr), guestError("GUEST_CONNECTION_LOST"));
  assert.equal((await text(child.stdout)).length, 90_000);
});

test("kill and resize are sent until the process has ended", async () => {
  await using running = await start({ pty: { rows: 24, cols: 80 } });
  const { agent, child } = running;
  await child.kill();
  await child.kill("SIGINT", { group: false });
  await child.resize({ rows: 50, cols: 132 });
  const controls: unknown[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const frame = await agent.next();
    assert.equal(frame.type, frameTypes.control);
    controls.push(Object.fromEntries(decodeMessage(frame.payload)));
  }
  assert.deepEqual(controls, [
    { control: "signal", signal: 15 },
    { control: "signal", signal: 2, group: false },
    { control: "resize", rows: 50, cols: 132 },
  ]);
  await assert.rejects(child.kill("SIGNOPE"), guestError("GUEST_BAD_REQUEST"));
  await assert.rejects(child.resize({ rows: 0, cols: 1 }), guestError("GUEST_BAD_REQUEST"));
  agent.event({ event: "exit", code: 0 });
  await child.exited;
  await child.kill();
  agent.eof(1);
  agent.send(frameTypes.end);
  assert.deepEqual(await Promise.all([text(child.stdout), text(child.stderr)]), ["", ""]);
  assert.equal(agent.frames.length, 0);
});

test("close gives the process up, and does nothing once it is over", async () => {
  await using running = await start({ stdin: true });
  const { agent, child } = running;
  await child.close();
  assert.equal(agent.isEnded, true);
  const given = guestError("ABORTED", /close\(\)/, { op: "exec", outcome: "unknown" });
  await assert.rejects(child.exited, given);
  await assert.rejects(buffer(child.stdout), given);
  await child.close();
  await child.kill();

  await using other = await start();
  finish(other.agent);
  await once(other.child.stdout.resume(), "end");
  await once(other.child.stderr.resume(), "end");
  await other.child[Symbol.asyncDispose]();
  assert.deepEqual(await other.child.exited, { code: 0, timedOut: false });
});

test("an abort listener does not outlive the process", async () => {
  const controller = new AbortController();
  await using running = await start({ signal: controller.signal });
  finish(running.agent);
  await once(running.child.stdin, "close");
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  controller.abort();
  assert.deepEqual(await running.child.exited, { code: 0, timedOut: false });
});

const faults: readonly [string, (agent: FakeAgent) => void][] = [
  [
    "two exits",
    (agent) => [agent.event({ event: "exit", code: 0 }), agent.event({ event: "exit", code: 0 })],
  ],
  ["an exit without a code", (agent) => agent.event({ event: "exit" })],
  ["an exit code of 256", (agent) => agent.event({ event: "exit", code: 256 })],
  ["an exit by signal 65", (agent) => agent.event({ event: "exit", signal: 65 })],
  ["an end without an exit", (agent) => [agent.eof(1), agent.eof(2), agent.send(frameTypes.end)]],
];
for (const [name, act] of faults) {
  test(`${name} ends the connection with an error`, async () => {
    await using running = await start();
    act(running.agent);
    await running.agent.closed();
    // Output whose end has come is complete, whatever happens then.
    if (name === "an end without an exit") assert.equal(await text(running.child.stdout), "");
    else await assert.rejects(buffer(running.child.stdout), guestError("GUEST_PROTOCOL"));
    if (name !== "two exits") {
      await assert.rejects(
        running.child.exited,
        guestError("GUEST_PROTOCOL", /./, { outcome: "unknown" }),
      );
    }
  });
}

test("an answer without a pid rejects the start", async () => {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.request();
    agent.respond({ ok: true });
    await agent.closed();
  });
  await using client = new AgentClient({ connect: guest.connect });
  await assert.rejects(client.exec(["sh"]), guestError("GUEST_PROTOCOL", /"pid"/));
});
