import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { AgentClient } from "../src/agent-client.ts";
import { Deadline } from "../src/deadline.ts";
import { encodeMessage } from "../src/message-encode.ts";
import { openSession } from "../src/open-session.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { guestError } from "./error-matchers.ts";

test("operations by name are answered, refusals too, on one connection", async () => {
  await using agents = await AgentProcesses.of("test-init");
  await using client = new AgentClient({ connect: agents.connect });
  const ping = await client.request("ping");
  assert.equal(ping.get("agent"), "test-init");
  const first = (await client.request("random")).get("bytes");
  const second = (await client.request("random")).get("bytes");
  assert.ok(first instanceof Uint8Array && first.length === 32);
  assert.notDeepEqual(first, second);
  await assert.rejects(
    client.request("nothing"),
    guestError("GUEST_UNKNOWN_OP", /no such operation/, { op: "nothing" }),
  );
  await assert.rejects(client.request("fill", { mib: "much" }), guestError("GUEST_BAD_REQUEST"));
  await assert.rejects(client.ping(), guestError("GUEST_PROTOCOL", /"prepared"/));
  assert.equal(agents.children.length, 1);
});

test("where the filled memory lies is told page by page, or that the kernel does not tell", async () => {
  await using agents = await AgentProcesses.of("test-init");
  await using client = new AgentClient({ connect: agents.connect });
  await client.request("fill", { mib: 2 });
  try {
    const sides = await client.request("sides");
    assert.equal(Number(sides.get("low")) + Number(sides.get("high")), 512);
  } catch (error) {
    // The kernel shows it to those alone who administer the machine.
    if (!guestError("GUEST_FAILED", /Operation not permitted/)(error)) throw error;
  }
});

test("100 MB go there and back with both windows in use", async () => {
  await using agents = await AgentProcesses.of("test-init");
  const deadline = new Deadline("echo", 120_000, undefined);
  const session = await openSession(agents.connect, deadline, undefined);
  const total = 100_000_000;
  const piece = Buffer.alloc(250_000);
  const sent = createHash("sha256");
  const received = createHash("sha256");
  const ended = Promise.withResolvers<void>();
  let length = 0;
  session.begin("echo", encodeMessage({ op: "echo" }), {
    onResponse: (response) => assert.equal(response.get("ok"), true),
    onData: (stream, bytes, cost) => {
      assert.equal(stream, 1);
      received.update(bytes);
      length += bytes.length;
      session.consumed(cost);
    },
    onEof: () => {},
    onEvent: () => {},
    onEnd: ended.resolve,
    onLost: ended.reject,
  });
  for (let offset = 0; offset < total; offset += piece.length) {
    piece.writeUInt32LE(offset, offset % 1_000);
    sent.update(piece);
    await session.sendData(0, piece);
  }
  await session.sendEof(0);
  await ended.promise;
  assert.equal(length, total);
  assert.equal(received.digest("hex"), sent.digest("hex"));
  assert.equal(session.isIdle, true);
  deadline.dispose();
  await session.close();
});
