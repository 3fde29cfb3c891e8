import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { FakeAgent, fakeGuest } from "../test/fake-agent.ts";
import { Deadline } from "./deadline.ts";
import { GuestError } from "./errors.ts";
import { openSession } from "./open-session.ts";

async function withDeadline<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  use: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline("ping", timeoutMs, signal);
  try {
    return await use(deadline);
  } finally {
    deadline.dispose();
  }
}

test("bytes of an earlier user are dropped before the welcome", async () => {
  const guest = fakeGuest(async (agent) => {
    await agent.hello();
    agent.raw(Buffer.alloc(40_000, "VIRGA/1W"));
    agent.sendWelcome();
    await agent.closed();
  });
  const session = await withDeadline(10_000, undefined, (deadline) =>
    openSession(guest.connect, deadline, undefined),
  );
  assert.equal(session.isIdle, true);
  await session.close();
  await guest.done();
});

test("an agent that is silent gets zeros and the hello again", async () => {
  const guest = fakeGuest(async (agent) => {
    await agent.until(() => agent.hellos === 2);
    // As many as the largest frame has, so that an agent in the middle of one gets to its end.
    assert.ok(agent.dropped.equals(Buffer.alloc(32_768)));
    agent.sendWelcome();
    await agent.closed();
  });
  const session = await withDeadline(10_000, undefined, (deadline) =>
    openSession(guest.connect, deadline, undefined),
  );
  await session.close();
  await guest.done();
  assert.equal(guest.agents.length, 1);
});

test("a connection without a welcome, or that ends before it, is replaced", async () => {
  const messages: string[] = [];
  const log = (_fields: object, message: string): number => messages.push(message);
  const guest = fakeGuest(async (agent, index) => {
    if (index === 0) return agent.closed();
    await agent.hello();
    if (index === 1) return agent.hangUp();
    agent.sendWelcome();
    await agent.closed();
  });
  const session = await withDeadline(20_000, undefined, (deadline) =>
    openSession(guest.connect, deadline, { debug: log, warn: log }),
  );
  assert.equal(guest.agents.length, 3);
  assert.equal(guest.agents[0]?.isEnded, true);
  assert.match(messages.join(), /no welcome.*no welcome.*answered/);
  await session.close();
});

test("the deadline ends the wait for a welcome and closes the connection", async () => {
  const guest = fakeGuest((agent) => agent.closed());
  await withDeadline(30, undefined, (deadline) =>
    assert.rejects(
      openSession(guest.connect, deadline, undefined),
      guestError("GUEST_TIMEOUT", /could not be reached/, { outcome: "not-started" }),
    ),
  );
  await guest.done();
});

test("an abort ends a connect that does not listen, and its late stream is closed", async () => {
  const controller = new AbortController();
  const connecting = Promise.withResolvers<ReturnType<typeof duplexPair>[0]>();
  await withDeadline(10_000, controller.signal, async (deadline) => {
    const opening = openSession(() => connecting.promise, deadline, undefined);
    controller.abort();
    await assert.rejects(opening, guestError("ABORTED", /ping/, { outcome: "not-started" }));
  });
  const [host, guest] = duplexPair();
  const agent = new FakeAgent(guest);
  connecting.resolve(host);
  await agent.closed();
  assert.equal(agent.hellos, 0);
});

test("connect is told how long it may take, and its branded errors pass unchanged", async () => {
  const own = new GuestError("GUEST_BUSY", "no port is free");
  await withDeadline(10_000, undefined, async (deadline) => {
    let told = 0;
    const connect = ({ timeoutMs }: { timeoutMs: number }): Promise<never> => {
      told = timeoutMs;
      return Promise.reject(own);
    };
    await assert.rejects(openSession(connect, deadline, undefined), (error) => error === own);
    assert.ok(told > 0 && told <= 10_000);
    const plain = new Error("ENOENT");
    await assert.rejects(
      openSession(() => Promise.reject(plain), deadline, undefined),
      (error) => {
        return (
          guestError("GUEST_CONNECTION_LOST", /Cannot connect/)(error) &&
          (error as Error).cause === plain
        );
      },
    );
    const throwing = (): Promise<never> => {
      throw plain;
    };
    await assert.rejects(
      openSession(throwing, deadline, undefined),
      guestError("GUEST_CONNECTION_LOST"),
    );
  });
});
