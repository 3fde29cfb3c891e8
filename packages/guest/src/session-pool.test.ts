import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { guestError } from "../test/error-matchers.ts";
import { type FakeGuest, fakeGuest } from "../test/fake-agent.ts";
import { Deadline } from "./deadline.ts";
import type { Session } from "./session.ts";
import { SessionPool } from "./session-pool.ts";

function poolOf(maxIdle = 1): {
  pool: SessionPool;
  guest: FakeGuest;
  acquire: () => Promise<Session>;
} {
  const guest = fakeGuest(async (agent) => {
    await agent.welcome();
    await agent.closed();
  });
  const pool = new SessionPool({
    connect: guest.connect,
    logger: undefined,
    maxIdle,
    idleTimeoutMs: 1_000,
  });
  const acquire = async (): Promise<Session> => {
    const deadline = new Deadline("ping", 10_000, undefined);
    try {
      return await pool.acquire(deadline);
    } finally {
      deadline.dispose();
    }
  };
  return { pool, guest, acquire };
}

test("an idle session is handed out again, as many are kept as allowed", async () => {
  const { pool, guest, acquire } = poolOf();
  const [first, second] = await Promise.all([acquire(), acquire()]);
  pool.release(first);
  pool.release(second);
  await guest.agents[1]?.closed();
  assert.equal(await acquire(), first);
  assert.notEqual(await acquire(), first);
  assert.equal(guest.agents.length, 3);
  await pool.close();
});

test("a session that was lost, or from before a reset, or that is not to be kept, is not handed out again", async () => {
  const { pool, guest, acquire } = poolOf();
  const lost = await acquire();
  pool.release(lost);
  guest.agents[0]?.hangUp();
  while (lost.isIdle) await setImmediate();
  const old = await acquire();
  assert.notEqual(old, lost);
  await pool.reset();
  assert.equal(old.isIdle, true, "a reset does not end what is in use");
  pool.release(old);
  const unwanted = await acquire();
  assert.notEqual(unwanted, old);
  pool.release(unwanted, false);
  assert.notEqual(await acquire(), unwanted);
  await pool.close();
  assert.ok(guest.agents.every((agent) => agent.isEnded));
});

test("an idle session is closed after its time", async (context) => {
  const { pool, guest, acquire } = poolOf();
  const session = await acquire();
  context.mock.timers.enable({ apis: ["setTimeout"] });
  pool.release(session);
  context.mock.timers.tick(999);
  assert.equal(session.isIdle, true);
  context.mock.timers.tick(1);
  assert.equal(session.isIdle, false);
  await guest.done();
  await pool.close();
});

test("without idle sessions allowed, none is kept", async () => {
  const { pool, guest, acquire } = poolOf(0);
  pool.release(await acquire());
  await guest.done();
  await pool.close();
});

test("close ends sessions in use and connections on their way, and is final", async () => {
  const { pool, guest, acquire } = poolOf();
  const session = await acquire();
  const opening = acquire();
  await Promise.all([
    pool.close(),
    assert.rejects(opening, guestError("ABORTED", /closed/, { outcome: "not-started" })),
  ]);
  assert.equal(session.isIdle, false);
  pool.release(session);
  await assert.rejects(acquire(), guestError("ABORTED", /closed/));
  assert.ok(guest.agents.every((agent) => agent.isEnded));
});
