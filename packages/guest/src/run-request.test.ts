import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { type FakeAgent, fakeGuest } from "../test/fake-agent.ts";
import { Deadline } from "./deadline.ts";
import { frameTypes } from "./frame.ts";
import { encodeMessage } from "./message-encode.ts";
import type { MessageMap } from "./message.ts";
import { openSession } from "./open-session.ts";
import { runRequest } from "./run-request.ts";

async function run(script: (agent: FakeAgent) => void): Promise<MessageMap> {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.request();
    script(agent);
    await agent.closed();
  });
  const deadline = new Deadline("counter", 10_000, undefined);
  const session = await openSession(guest.connect, deadline, undefined);
  try {
    return await runRequest(session, "counter", encodeMessage({ op: "counter" }), deadline);
  } finally {
    deadline.dispose();
    await session.close();
  }
}

test("the answer is given after END", async () => {
  const answer = await run((agent) => {
    agent.respond({ ok: true, value: 7 });
    agent.send(frameTypes.end);
  });
  assert.equal(answer.get("value"), 7);
});

test("a refusal rejects", async () => {
  const refused = run((agent) => {
    agent.respond({ ok: false, code: "UNKNOWN_OP", message: "counter" });
    agent.send(frameTypes.end);
  });
  await assert.rejects(
    refused,
    guestError("GUEST_UNKNOWN_OP", /refused counter/, { op: "counter" }),
  );
});

const extras: readonly [string, (agent: FakeAgent) => void][] = [
  ["data", (agent) => agent.data(1, "x")],
  ["the end of a stream", (agent) => agent.eof(1)],
  ["an event", (agent) => agent.event({ event: "exit" })],
];
for (const [name, send] of extras) {
  test(`${name} in an operation that only answers is refused`, async () => {
    const refused = run((agent) => {
      agent.respond({ ok: true });
      send(agent);
    });
    await assert.rejects(
      refused,
      guestError("GUEST_PROTOCOL", /more than an answer/, { op: "counter" }),
    );
  });
}
