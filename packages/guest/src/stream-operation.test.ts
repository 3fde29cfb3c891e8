import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { type FakeAgent, fakeGuest } from "../test/fake-agent.ts";
import { AgentClient } from "./agent-client.ts";
import { frameTypes } from "./frame.ts";

const status = {
  ok: true,
  type: "file",
  size: 3,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeNs: [1, 2],
} as const;

/** A client whose agent has answered a read and then does as the test says. */
function clientOf(play: (agent: FakeAgent) => Promise<void> | void): AgentClient {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.request();
    await play(agent);
    await agent.closed();
  });
  return new AgentClient({ connect: guest.connect, timeoutMs: 5_000 });
}

test("a stream ends well only when the agent says so", async () => {
  await using client = clientOf((agent) => {
    agent.respond(status);
    agent.data(1, "abc");
    agent.eof(1);
    agent.event({ event: "later than this version" });
    agent.event({ event: "done" });
    agent.send(frameTypes.end);
  });
  assert.equal(await text(await client.files.read("/a")), "abc");
});

test("a failure behind the bytes is the error of the stream", async () => {
  await using client = clientOf((agent) => {
    agent.respond(status);
    agent.data(1, "abc");
    agent.eof(1);
    agent.event({ event: "failed", code: "FAILED", message: "Input/output error", errno: 5 });
    agent.send(frameTypes.end);
  });
  const stream = await client.files.read("/a");
  await assert.rejects(text(stream), guestError("GUEST_FAILED", /Input/, { errno: 5 }));
});

const wrong: readonly [string, (agent: FakeAgent) => void][] = [
  [
    "an end without a result",
    (agent) => {
      agent.eof(1);
      agent.send(frameTypes.end);
    },
  ],
  [
    "two results",
    (agent) => {
      agent.event({ event: "done" });
      agent.event({ event: "done" });
    },
  ],
  ["a stream that it has not", (agent) => agent.data(2, "x")],
  ["a failure without a code", (agent) => agent.event({ event: "failed" })],
];
for (const [name, play] of wrong) {
  test(`${name} is a breach of the protocol`, async () => {
    await using client = clientOf((agent) => {
      agent.respond(status);
      play(agent);
    });
    const stream = await client.files.read("/a");
    await assert.rejects(text(stream), guestError("GUEST_PROTOCOL"));
  });
}

test("a refusal, a silent agent and a lost connection end the call", async () => {
  await using refusing = clientOf((agent) => {
    agent.respond({ ok: false, code: "DENIED", message: "no", errno: 13 });
    agent.send(frameTypes.end);
  });
  await assert.rejects(refusing.files.read("/a"), guestError("GUEST_DENIED", /no/, { errno: 13 }));
  await using silent = clientOf(() => {});
  await assert.rejects(
    silent.files.read("/a", { timeoutMs: 30 }),
    guestError("GUEST_TIMEOUT", /30 ms/),
  );
  let hangUp = (): void => {};
  await using lost = clientOf((agent) => {
    hangUp = () => agent.hangUp();
    agent.respond(status);
    agent.data(1, "abc");
  });
  const stream = await lost.files.read("/a");
  hangUp();
  await assert.rejects(text(stream), guestError("GUEST_CONNECTION_LOST"));
});

test("an answer that is no status is refused", async () => {
  for (const change of [{ type: "pipe" }, { mode: 0o10_000 }, { mtimeNs: [1] }, { size: -1 }]) {
    await using client = clientOf((agent) => {
      agent.respond({ ...status, ...change });
      agent.send(frameTypes.end);
    });
    await assert.rejects(client.files.stat("/a"), guestError("GUEST_PROTOCOL"));
  }
});
