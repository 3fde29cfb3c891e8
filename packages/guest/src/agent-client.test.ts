import assert from "node:assert/strict";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { type FakeAgent, fakeGuest } from "../test/fake-agent.ts";
import { AgentClient } from "./agent-client.ts";
import type { GuestError } from "./errors.ts";
import { frameTypes } from "./frame.ts";

const pong = {
  ok: true,
  version: 1,
  agent: "0.1.0",
  bootMs: 12,
  prepared: false,
  initialised: true,
};

/** Answers pings until the host hangs up. */
async function answerPings(agent: FakeAgent): Promise<void> {
  await agent.welcome();
  while (!agent.isEnded) await agent.answer(pong).catch(() => {});
}

/** Plays an exec of a process that writes "out" and "err" and exits with 3. */
async function playExec(agent: FakeAgent): Promise<void> {
  await agent.request();
  agent.respond({ ok: true, pid: 42 });
  agent.data(1, "out");
  agent.data(2, "err");
  agent.event({ event: "exit", code: 3 });
  agent.eof(1);
  agent.eof(2);
  agent.send(frameTypes.end);
}

test("ping is checked and its connection kept for the next", async () => {
  const guest = fakeGuest(answerPings);
  await using client = new AgentClient({ connect: guest.connect });
  const { ok, ...expected } = pong;
  assert.equal(ok, true);
  assert.deepEqual(await client.ping(), expected);
  assert.deepEqual(await client.ping(), expected);
  assert.equal(guest.agents.length, 1);
});

test("calls at the same time use connections of their own", async () => {
  const guest = fakeGuest(answerPings);
  await using client = new AgentClient({ connect: guest.connect });
  await Promise.all([client.ping(), client.ping(), client.ping()]);
  assert.equal(guest.agents.length, 3);
});

test("reset closes what is idle", async () => {
  const guest = fakeGuest(answerPings);
  await using client = new AgentClient({ connect: guest.connect });
  await client.ping();
  await client.reset();
  assert.equal(guest.agents[0]?.isEnded, true);
  await client.ping();
  assert.equal(guest.agents.length, 2);
});

test("exec gives streams, exit and pid, and gives its connection back", async () => {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await playExec(agent);
    await playExec(agent);
  });
  await using client = new AgentClient({ connect: guest.connect });
  for (let turn = 0; turn < 2; turn += 1) {
    const child = await client.exec(["sh"]);
    assert.equal(child.pid, 42);
    assert.deepEqual(await child.exited, { code: 3, timedOut: false });
    assert.deepEqual(await Promise.all([text(child.stdout), text(child.stderr)]), ["out", "err"]);
  }
  assert.equal(guest.agents.length, 1);
  await guest.done();
});

test("an exec that is refused says why, and its connection is kept", async () => {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.answer({
      ok: false,
      code: "NOT_FOUND",
      message: "no \u001b[31mnope",
      errno: 2,
      what: "program",
    });
    await agent.answer(pong);
  });
  await using client = new AgentClient({ connect: guest.connect });
  await assert.rejects(
    client.exec(["nope"]),
    guestError("GUEST_NOT_FOUND", /no \\x1b\[31mnope/, { op: "exec", errno: 2, what: "program" }),
  );
  await client.ping();
  assert.equal(guest.agents.length, 1);
});

test("a lost connection ends exec and streams at once, and the next call connects anew", async () => {
  const guest = fakeGuest(async (agent, index) => {
    if (index > 0) return answerPings(agent);
    await agent.welcome();
    await agent.request();
    agent.respond({ ok: true, pid: 1 });
  });
  await using client = new AgentClient({ connect: guest.connect });
  const child = await client.exec(["sleep", "9"], { stdin: true });
  guest.agents[0]?.hangUp();
  const lost = guestError("GUEST_CONNECTION_LOST", /during exec/, { outcome: "unknown" });
  await assert.rejects(child.exited, lost);
  await assert.rejects(buffer(child.stdout), lost);
  await assert.rejects(buffer(child.stderr), lost);
  assert.equal(child.stdin.destroyed, true);
  await client.ping();
  assert.equal(guest.agents.length, 2);
});

test("a connect that rejects fails the call at once", async () => {
  const cause = new Error("ECONNREFUSED");
  await using client = new AgentClient({ connect: () => Promise.reject(cause) });
  await assert.rejects(client.exec(["true"]), (error) => {
    assert.ok(guestError("GUEST_CONNECTION_LOST", /connect/, { outcome: "not-started" })(error));
    return (error as GuestError).cause === cause;
  });
});

test("an agent that does not answer runs into the deadline", async () => {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.request();
    await agent.closed();
  });
  await using client = new AgentClient({ connect: guest.connect, timeoutMs: 50 });
  await assert.rejects(
    client.ping(),
    guestError("GUEST_TIMEOUT", /50 ms/, { op: "ping", outcome: "unknown", timeoutMs: 50 }),
  );
  await assert.rejects(
    client.exec(["true"]),
    guestError("GUEST_TIMEOUT", /50 ms/, { op: "exec", outcome: "unknown" }),
  );
  await guest.done();
});

test("an abort ends a call and a process, whose connections are closed", async () => {
  const guest = fakeGuest(async (agent, index) => {
    await agent.welcome();
    await agent.request();
    if (index === 1) agent.respond({ ok: true, pid: 1 });
    await agent.closed();
  });
  await using client = new AgentClient({ connect: guest.connect });
  const first = new AbortController();
  const pinging = client.ping({ signal: first.signal });
  first.abort(new Error("enough"));
  await assert.rejects(pinging, guestError("ABORTED"));

  const second = new AbortController();
  const child = await client.exec(["sleep", "9"], { signal: second.signal });
  second.abort();
  await assert.rejects(child.exited, guestError("ABORTED", /given up/, { outcome: "unknown" }));
  await assert.rejects(
    client.ping({ signal: AbortSignal.abort() }),
    guestError("ABORTED", /./, { outcome: "not-started" }),
  );
  await client.close();
  assert.ok(guest.agents.every((agent) => agent.isEnded));
});

test("close of the client ends what is under way and refuses the rest", async () => {
  const guest = fakeGuest(async (agent, index) => {
    if (index === 1) return agent.closed();
    await agent.welcome();
    await agent.request();
    agent.respond({ ok: true, pid: 1 });
    await agent.closed();
  });
  const client = new AgentClient({ connect: guest.connect });
  const child = await client.exec(["sleep", "9"]);
  const waiting = client.ping();
  await Promise.all([
    client.close(),
    assert.rejects(child.exited, guestError("ABORTED", /client.*closed/, { outcome: "unknown" })),
    assert.rejects(waiting, guestError("ABORTED", /client.*closed/, { outcome: "not-started" })),
  ]);
  await assert.rejects(client.ping(), guestError("ABORTED", /client.*closed/));
  await guest.done();
});

test("init sends entropy of its own, the time and the rest; prepare and shutdown leave no connection", async () => {
  const requests: Map<string, unknown>[] = [];
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    for (;;) requests.push(new Map(await agent.answer({ ok: true })));
  });
  await using client = new AgentClient({ connect: guest.connect });
  await client.init({ timeNs: 1_764_000_000_999_999_999n, hostname: "web", env: { A: "1" } });
  await client.init({ timeNs: "now" });
  await client.prepare({ freezeTimeoutMs: 700 });
  await client.thaw();
  await client.shutdown("poweroff");
  const [init, now, ...others] = requests;
  assert.deepEqual(init?.get("timeNs"), [1_764_000_000, 999_999_999]);
  const entropy = init?.get("entropy");
  assert.ok(entropy instanceof Uint8Array && entropy.length === 256);
  assert.notDeepEqual(entropy, now?.get("entropy"));
  assert.deepEqual(init?.get("env"), new Map([["A", "1"]]));
  assert.deepEqual([...(init?.keys() ?? [])], ["op", "entropy", "timeNs", "hostname", "env"]);
  assert.deepEqual(
    others.map((request) => Object.fromEntries(request)),
    [{ op: "prepare", timeoutMs: 700 }, { op: "thaw" }, { op: "shutdown", mode: "poweroff" }],
  );
  assert.equal(guest.agents.length, 2);
  assert.ok(guest.agents.every((agent) => agent.isEnded));
});

test("connectTimeoutMs bounds the way to the agent, timeoutMs only what follows", async () => {
  const guest = fakeGuest(async (agent, index) => {
    if (index === 0) return agent.closed();
    await agent.welcome();
    await agent.answer(pong);
  });
  await using client = new AgentClient({ connect: guest.connect });
  // The first connection is given up after 500 ms, which alone is more than timeoutMs.
  await client.ping({ connectTimeoutMs: 20_000, timeoutMs: 400 });
  await assert.rejects(
    new AgentClient({ connect: fakeGuest((agent) => agent.closed()).connect }).ping({
      connectTimeoutMs: 30,
    }),
    guestError("GUEST_TIMEOUT", /30 ms/, { outcome: "not-started" }),
  );
});
