import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { AgentClient } from "@virga/guest";
import { FakeGuest } from "./fake-guest.ts";

/** `resumeAt`: the connection that lets the guest run. */
function testAgent(
  t: TestContext,
  resumeAt = 1,
): { readonly guest: FakeGuest; readonly agent: AgentClient } {
  const guest = new FakeGuest({ disk: undefined, memoryFile: undefined, onEnd: () => undefined });
  let connections = 0;
  const connect = async () => {
    if (++connections === resumeAt) guest.resume();
    const [host, side] = duplexPair();
    guest.serve(side);
    return host;
  };
  const agent = new AgentClient({ connect });
  t.after(() => agent.close());
  return { guest, agent };
}

async function run(
  agent: AgentClient,
  line: string,
): Promise<readonly [stdout: string, stderr: string, code: number | undefined]> {
  const program = await agent.exec(line.split(" "));
  const [stdout, stderr] = await Promise.all([text(program.stdout), text(program.stderr)]);
  return [stdout, stderr, (await program.exited).code];
}

test("the real client is served: it is frozen, thawed, told who it is, and memory knows", async (t) => {
  const { guest, agent } = testAgent(t);
  const { initialised, prepared } = await agent.ping();
  assert.deepEqual({ initialised, prepared }, { initialised: false, prepared: false });
  await agent.init({ hostname: "one" });
  await agent.prepare();
  const memory = guest.dump();
  assert.equal((await agent.ping()).prepared, true);
  await agent.thaw();
  assert.equal((await agent.ping()).prepared, false);
  assert.ok(guest.load(memory));
  assert.equal((await agent.ping()).prepared, true);
  await agent.init({ hostname: "two" });
  assert.equal((await agent.ping()).prepared, false);
});

test("a paused guest answers when it goes on", async (t) => {
  const { agent } = testAgent(t, 3);
  assert.equal((await agent.ping({ timeoutMs: 60_000 })).initialised, false);
});

test("programs are what the guest answers, and wait for the thaw", async (t) => {
  const { agent } = testAgent(t);
  assert.deepEqual(await run(agent, "note memory some words"), ["\n", "", 0]);
  assert.deepEqual(await run(agent, "recall memory"), ["some words\n", "", 0]);
  assert.deepEqual(await run(agent, "nothing"), ["", "error unknown request nothing\n", 1]);
  await agent.prepare();
  await assert.rejects(run(agent, "recall memory"), { code: "GUEST_BUSY" });
  await agent.thaw();
  // A session's window is worth fewer of them, unless it is given back.
  for (let index = 0; index < 60; index++) await run(agent, `echo ${"x".repeat(1_000)}`);
});

test("what it cannot do ends the connection", async (t) => {
  const { agent } = testAgent(t);
  await assert.rejects(agent.stats(), { code: "GUEST_CONNECTION_LOST" });
});
