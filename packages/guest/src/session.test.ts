import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { FakeAgent } from "../test/fake-agent.ts";
import { bytesOf, readVectors } from "../../../native/protocol/read-vectors.ts";
import { Connection } from "./connection.ts";
import { receiveWindow, sendWindow } from "./credit.ts";
import type { GuestError } from "./errors.ts";
import { FrameEncoder, frameTypes } from "./frame.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageMap } from "./message.ts";
import { openSession } from "./open-session.ts";
import { Deadline } from "./deadline.ts";
import { type OperationHandler, Session } from "./session.ts";

/** Notes everything that a session reports. Does not consume data by itself. */
class Recorder implements OperationHandler {
  readonly events: string[] = [];
  readonly costs: number[] = [];
  readonly lost = Promise.withResolvers<GuestError>();
  readonly ended = Promise.withResolvers<void>();
  onResponse(response: MessageMap): void {
    this.events.push(`response ${JSON.stringify(response.get("ok"))}`);
  }
  onData(stream: number, bytes: Buffer, cost: number): void {
    this.events.push(`data ${stream} ${bytes.toString()}`);
    this.costs.push(cost);
  }
  onEof(stream: number): void {
    this.events.push(`eof ${stream}`);
  }
  onEvent(event: MessageMap): void {
    this.events.push(`event ${JSON.stringify(event.get("event"))}`);
  }
  onEnd(): void {
    this.events.push("end");
    this.ended.resolve();
  }
  onLost(error: GuestError): void {
    this.events.push("lost");
    this.lost.resolve(error);
  }
}

const ping = encodeMessage({ op: "ping" });

async function openPair(): Promise<{ session: Session; agent: FakeAgent }> {
  const [host, guest] = duplexPair();
  const agent = new FakeAgent(guest);
  const deadline = new Deadline("ping", 10_000, undefined);
  const opening = openSession(() => Promise.resolve(host), deadline, undefined);
  await agent.welcome();
  const session = await opening;
  deadline.dispose();
  return { session, agent };
}

/** A session whose request has been answered by ok. */
async function running(): Promise<{ session: Session; agent: FakeAgent; recorder: Recorder }> {
  const { session, agent } = await openPair();
  const recorder = new Recorder();
  session.begin("exec", ping, recorder);
  await agent.request();
  agent.respond({ ok: true });
  return { session, agent, recorder };
}

test("an operation is answered, streams and ends, and the next one follows on the same session", async () => {
  const { session, agent, recorder } = await running();
  agent.data(1, "out");
  agent.data(2, "");
  agent.event({ event: "exit" });
  agent.eof(1);
  agent.eof(2);
  agent.send(frameTypes.end);
  await recorder.ended.promise;
  assert.deepEqual(recorder.events, [
    "response true",
    "data 1 out",
    "data 2 ",
    'event "exit"',
    "eof 1",
    "eof 2",
    "end",
  ]);
  assert.equal(session.isIdle, false, "data is unread");
  for (const cost of recorder.costs) session.consumed(cost);
  assert.equal(session.isIdle, true);

  const second = new Recorder();
  session.begin("ping", ping, second);
  await agent.answer({ ok: false });
  await second.ended.promise;
  assert.deepEqual(second.events, ["response false", "end"]);
  await session.close();
});

test("what crosses a lost connection is told at once, with the operation and an unknown outcome", async () => {
  const { agent, recorder } = await running();
  agent.hangUp();
  const error = await recorder.lost.promise;
  assert.ok(
    guestError("GUEST_CONNECTION_LOST", /during exec/, { op: "exec", outcome: "unknown" })(error),
  );
});

test("an operation on a closed session has not started", async () => {
  const { session } = await openPair();
  await session.close();
  const recorder = new Recorder();
  session.begin("ping", ping, recorder);
  assert.ok(
    guestError("GUEST_CONNECTION_LOST", /closed/, { outcome: "not-started" })(
      await recorder.lost.promise,
    ),
  );
});

test("data is sent as credit allows, and never beyond", async () => {
  const { session, agent, recorder } = await running();
  let isDone = false;
  const sending = session.sendData(0, Buffer.alloc(300_000, 7)).then(() => {
    isDone = true;
    return undefined;
  });
  let spent = 0;
  let received = 0;
  while (received < 300_000) {
    if (agent.frames.length === 0 && spent > sendWindow - 33_792) {
      assert.equal(isDone, false);
      agent.credit(spent);
      spent = 0;
    }
    const { type, payload } = await agent.next();
    assert.equal(type, frameTypes.data);
    assert.equal(payload[0], 0);
    received += payload.length - 1;
    spent += payload.length + 1_048;
    assert.ok(spent <= sendWindow);
  }
  await sending;
  assert.equal(received, 300_000);
  assert.deepEqual(recorder.events, ["response true"]);
  await session.close();
});

test("a writer that waits for credit is let go when the operation ends, and when the connection is lost", async () => {
  for (const finish of ["end", "hang up"]) {
    const { session, agent } = await running();
    const sending = session.sendData(0, Buffer.alloc(300_000));
    await agent.until(() => agent.frames.length === 3);
    if (finish === "end") agent.send(frameTypes.end);
    else agent.hangUp();
    await sending;
    await session.close();
    assert.equal(agent.frames.length, 3);
  }
});

test("nothing is sent for an operation that ended in the moment when its credit came", async () => {
  const { session, agent } = await running();
  const sending = session.sendData(0, Buffer.alloc(300_000));
  await agent.until(() => agent.frames.length === 3);
  const credit = Buffer.alloc(4);
  credit.writeUInt32LE(90_000);
  agent.raw(Buffer.concat([agent.frame(frameTypes.credit, credit), agent.frame(frameTypes.end)]));
  await sending;
  session.begin("ping", ping, new Recorder());
  await agent.until(() => agent.frames.length === 4);
  assert.equal(agent.frames[3]?.type, frameTypes.request);
  await session.close();
});

test("credit is returned for what was consumed, when 98,304 bytes are owed", async () => {
  const { session, agent, recorder } = await running();
  for (let piece = 0; piece < 3; piece += 1) agent.data(1, Buffer.alloc(32_000));
  agent.event({ event: "mark" });
  await agentSync(session, agent);
  assert.equal(agent.returned, 0);
  for (const cost of recorder.costs.slice(0, 2)) session.consumed(cost);
  await agentSync(session, agent);
  assert.equal(agent.returned, 0);
  session.consumed(recorder.costs[2] ?? 0);
  await agentSync(session, agent);
  assert.equal(agent.returned, 3 * (32_000 + 1 + 24 + 1_024));
  await session.close();
});

/** Waits until the agent has seen everything that the host sent so far. */
async function agentSync(session: Session, agent: FakeAgent): Promise<void> {
  await session.sendControl(encodeMessage({ control: "none" }));
  await agent.next();
}

type Fault = readonly [name: string, act: (agent: FakeAgent) => void, message: RegExp];
const faults: readonly Fault[] = [
  ["a second answer", (agent) => agent.respond({ ok: true }), /two answers/],
  [
    "more than its credit",
    (agent) => {
      for (let sent = 0; sent <= receiveWindow; sent += 32_000) agent.data(1, Buffer.alloc(32_000));
    },
    /more than its credit/,
  ],
  [
    "data after the end of its stream",
    (agent) => [agent.eof(1), agent.data(1, "x")],
    /after their end/,
  ],
  ["two ends of one stream", (agent) => [agent.eof(2), agent.eof(2)], /after their end/],
  ["credit that was not spent", (agent) => agent.credit(1), /more credit/],
  [
    "an event that is no message",
    (agent) => agent.send(frameTypes.event, Buffer.of(0xc1)),
    /cannot be read/,
  ],
  [
    "a frame after END",
    (agent) => [agent.send(frameTypes.end), agent.event({})],
    /outside of an operation/,
  ],
];
for (const [name, act, message] of faults) {
  test(`${name} ends the session`, async () => {
    const { session, agent, recorder } = await running();
    act(agent);
    await agent.closed();
    if (name !== "a frame after END") {
      assert.ok(
        guestError("GUEST_PROTOCOL", message, { op: "exec", outcome: "unknown" })(
          await recorder.lost.promise,
        ),
      );
    }
    assert.equal(session.isIdle, false);
    await session.close();
  });
}

const early: readonly Fault[] = [
  ["END", (agent) => agent.send(frameTypes.end), /before its answer/],
  ["EVENT", (agent) => agent.event({ event: "exit" }), /before its answer/],
  ["DATA", (agent) => agent.data(1, "x"), /before its answer/],
  ["RESPONSE without ok", (agent) => agent.respond({}), /without ok/],
  [
    "DATA after a refusal",
    (agent) => [agent.respond({ ok: false }), agent.data(1, "x")],
    /before its answer/,
  ],
];
for (const [name, act, message] of early) {
  test(`${name} in answer to a request ends the session`, async () => {
    const { session, agent } = await openPair();
    const recorder = new Recorder();
    session.begin("exec", ping, recorder);
    await agent.request();
    act(agent);
    assert.ok(guestError("GUEST_PROTOCOL", message)(await recorder.lost.promise));
    await session.close();
  });
}

for (const vector of readVectors("frame").filter(
  ({ bad, direction }) => bad !== undefined && direction === "agent",
)) {
  test(`the golden vector "${vector.name}" ends the session`, async () => {
    const [host, guest] = duplexPair();
    guest.resume();
    const session = new Session(new Connection(host), {
      hostNonce: bytesOf(vector.nonceH),
      guestNonce: bytesOf(vector.nonceG),
      rest: Buffer.alloc(0),
    });
    const recorder = new Recorder();
    session.begin("exec", ping, recorder);
    guest.write(bytesOf(vector.hex));
    const error = await recorder.lost.promise;
    assert.equal(error.code, "GUEST_PROTOCOL");
    guest.end();
    await session.close();
  });
}

test("what a listener throws ends the session and is not swallowed", async () => {
  const [host, guest] = duplexPair();
  guest.resume();
  const connection = new Connection(host);
  const session = new Session(connection, {
    hostNonce: Buffer.alloc(16, 1),
    guestNonce: Buffer.alloc(16, 2),
    rest: Buffer.alloc(0),
  });
  const recorder = new Recorder();
  recorder.onResponse = () => {
    throw new TypeError("a bug of the caller's");
  };
  session.begin("exec", ping, recorder);
  const response = new FrameEncoder(0x0101_0101_0101_0101n).encode(
    frameTypes.response,
    encodeMessage({ ok: true }),
  );
  assert.throws(() => host.emit("data", response), TypeError);
  assert.ok(guestError("GUEST_CONNECTION_LOST", /listener threw/)(await recorder.lost.promise));
  guest.end();
  await session.close();
});
