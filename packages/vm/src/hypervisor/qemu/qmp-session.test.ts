import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startFakeQmp, useTemporaryDirectory } from "@virga/testkit";
import type { FakeQmp, FakeQmpOptions } from "@virga/testkit";
import { isVirgaError } from "../../errors.ts";
import type { VirgaErrorCode } from "../../errors.ts";
import { withQmp } from "./qmp-session.ts";
import type { QmpSession } from "./qmp-session.ts";

const LONG_MS = 20_000;
const SHORT_MS = 60;

async function monitor(
  context: TestContext,
  options?: FakeQmpOptions,
): Promise<{ path: string; fake: FakeQmp }> {
  const path = join(await useTemporaryDirectory(context), "qmp.sock");
  const fake = await startFakeQmp(path, options);
  context.after(() => fake[Symbol.asyncDispose]());
  return { path, fake };
}

const status = (session: QmpSession): Promise<unknown> => session.execute("query-status");

async function refusal(running: Promise<unknown>, code: VirgaErrorCode, words: RegExp) {
  const error = await running.then(
    () => assert.fail("it was not refused"),
    (thrown: unknown) => thrown,
  );
  assert.ok(isVirgaError(error), String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  return error;
}

/** Lets the deadline of a session pass once the monitor has got there: no slowness of the machine can make it pass earlier. */
async function timesOut(
  context: TestContext,
  start: () => Promise<unknown>,
  isThere: () => boolean,
  words: RegExp,
): Promise<void> {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const refused = refusal(start(), "TIMEOUT", words);
  while (!isThere()) await new Promise(setImmediate);
  context.mock.timers.tick(LONG_MS);
  await refused;
  context.mock.timers.reset();
}

async function noClients(fake: FakeQmp): Promise<void> {
  while (fake.clients.size > 0) await new Promise(setImmediate);
}

test("a command gets its return; events and strange line ends do not disturb", async (context) => {
  const { path, fake } = await monitor(context, {
    handler: (command, given, socket) => {
      socket.write('{"event": "STOP", "timestamp": {}}\r\n\r\n{"event": "RES');
      socket.write('UME"}\n');
      return { command, given };
    },
  });
  const answers = await withQmp(path, { timeoutMs: LONG_MS }, async (session) => [
    await session.execute("migrate-incoming", { uri: "unix:/x" }),
    await session.execute("cont"),
  ]);
  assert.deepEqual(answers, [
    { command: "migrate-incoming", given: { uri: "unix:/x" } },
    { command: "cont", given: {} },
  ]);
  assert.deepEqual(fake.commands, ["migrate-incoming", "cont"]);
  await noClients(fake);
});

test("what a command caused is known with its answer", async (context) => {
  const { path } = await monitor(context, {
    handler: (command, _given, socket) => {
      if (command === "stop") socket.write('{"event": "STOP"}\n{"event": 7}\n');
      return {};
    },
  });
  await withQmp(path, { timeoutMs: LONG_MS }, async (session) => {
    await session.execute("cont");
    assert.equal(session.saw("STOP"), false);
    await session.execute("stop");
    assert.equal(session.saw("STOP"), true);
  });
});

test("only queries are sent before the monitor serves us", async (context) => {
  const { path, fake } = await monitor(context, { greeting: null });
  const stop = (session: QmpSession): Promise<unknown> => session.execute("stop");
  await timesOut(
    context,
    () => withQmp(path, { timeoutMs: LONG_MS }, stop),
    () => [...fake.clients].some(({ bytesRead }) => bytesRead > 0),
    /greeting/,
  );
  await noClients(fake);
  assert.deepEqual(fake.commands, []);
  const both = (session: QmpSession): Promise<unknown> =>
    Promise.all([session.execute("query-uuid"), session.execute("query-version")]);
  await timesOut(
    context,
    () => withQmp(path, { timeoutMs: LONG_MS }, both),
    () => fake.commands.length === 2,
    /greeting/,
  );
  await noClients(fake);
  assert.deepEqual(fake.commands, ["query-uuid", "query-version"]);
});

test("a refused command keeps QEMU's class and words, and the session goes on", async (context) => {
  const { path } = await monitor(context, {
    handler: (command) => (command === "bad" ? new Error("No \u001b[31mballoon\n") : 7),
  });
  await withQmp(path, { timeoutMs: LONG_MS }, async (session) => {
    const error = await refusal(session.execute("bad"), "HYPERVISOR_ERROR", /refused bad: No/);
    assert.deepEqual(error.details, {
      command: "bad",
      class: "GenericError",
      chain: ["No \ufffd[31mballoon\ufffd"],
    });
    assert.equal(await session.execute("good"), 7);
  });
});

test("nobody listening is HYPERVISOR_EXITED", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const missing = join(directory, "missing.sock");
  await refusal(withQmp(missing, { timeoutMs: LONG_MS }, status), "HYPERVISOR_EXITED", /ENOENT/);
  const stale = join(directory, "stale.sock");
  // A killed process leaves its socket behind.
  const script = `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  await refusal(
    withQmp(stale, { timeoutMs: LONG_MS }, status),
    "HYPERVISOR_EXITED",
    /ECONNREFUSED/,
  );
});

test("a monitor without a greeting is a TIMEOUT that says so", async (context) => {
  const { path, fake } = await monitor(context, { greeting: null });
  await timesOut(
    context,
    () => withQmp(path, { timeoutMs: LONG_MS }, status),
    () => fake.commands.length === 1,
    /greeting.*one client/,
  );
  await noClients(fake);
});

test("a command without an answer is a TIMEOUT naming it", async (context) => {
  const { path, fake } = await monitor(context, { handler: () => undefined });
  // No query: one would be sent before the greeting has been read.
  await timesOut(
    context,
    () => withQmp(path, { timeoutMs: LONG_MS }, (session) => session.execute("stop")),
    () => fake.commands.length === 1,
    /executing stop/,
  );
  await noClients(fake);
});

test("a monitor whose queue of clients is full is waited for until the deadline", async (context) => {
  const path = join(await useTemporaryDirectory(context), "qmp.sock");
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => {
    server.listen({ path, backlog: 1 }, resolve);
  });
  const calls = Array.from({ length: 8 }, () =>
    refusal(withQmp(path, { timeoutMs: SHORT_MS }, status), "TIMEOUT", /did not answer/),
  );
  await Promise.all(calls);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

for (const [what, reply] of [
  ["text", "hello there\n"],
  ["an array", "[1]\n"],
  ["half an object", '{"return": \n'],
  ["neither a return nor an error", '{"timestamp": {}}\n'],
  ["an answer to somebody else's command", '{"return": {}, "id": 999}\n'],
  ["two answers", '{"return": {}}\n{"return": {}}\n'],
  ["binary", Buffer.from([0, 255, 254, 10])],
] as const) {
  test(`${what} in place of an answer is HYPERVISOR_PROTOCOL`, async (context) => {
    const { path, fake } = await monitor(context, {
      handler: (_command, _given, socket) => {
        socket.write(reply);
        return undefined;
      },
    });
    const running = withQmp(path, { timeoutMs: LONG_MS }, async (session) => {
      await session.execute("query-status");
      await session.execute("query-status");
    });
    const error = await refusal(running, "HYPERVISOR_PROTOCOL", /Cannot understand/);
    assert.ok(!/\p{Cc}/u.test(error.message), "control characters are shown");
    await noClients(fake);
  });
}

test("a wrong greeting is HYPERVISOR_PROTOCOL", async (context) => {
  const { path } = await monitor(context, { greeting: '{"hello": 1}' });
  await refusal(withQmp(path, { timeoutMs: LONG_MS }, status), "HYPERVISOR_PROTOCOL", /greeting/);
});

test("an endless line is cut off", async (context) => {
  let sent = 0;
  const { path, fake } = await monitor(context, {
    handler: (_command, _given, socket) => {
      const piece = Buffer.alloc(64 * 1024, "x");
      const more = (): void => {
        sent += piece.length;
        if (!socket.destroyed) socket.write(piece, more);
      };
      more();
      return undefined;
    },
  });
  await refusal(
    withQmp(path, { timeoutMs: LONG_MS }, status),
    "HYPERVISOR_PROTOCOL",
    /longer than/,
  );
  await noClients(fake);
  assert.ok(sent < 8 << 20, `${sent} bytes were sent`);
});

test("a long line within the cap is read", async (context) => {
  const text = "y".repeat(900_000);
  const { path } = await monitor(context, { handler: () => text });
  assert.equal(await withQmp(path, { timeoutMs: LONG_MS }, status), text);
});

test("a monitor that closes in the middle is HYPERVISOR_EXITED", async (context) => {
  const { path } = await monitor(context, {
    handler: (_command, _given, socket) => {
      socket.end('{"ret');
      return undefined;
    },
  });
  await refusal(
    withQmp(path, { timeoutMs: LONG_MS }, status),
    "HYPERVISOR_EXITED",
    /executing query-status/,
  );
});

test("an abort ends the call at once and keeps its reason", async (context) => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const { path, fake } = await monitor(context, {
    handler: () => {
      controller.abort(reason);
      return undefined;
    },
  });
  const options = { timeoutMs: LONG_MS, signal: controller.signal };
  const error = await refusal(withQmp(path, options, status), "ABORTED", /QEMU monitor/);
  assert.equal(error.cause, reason);
  await refusal(withQmp(path, options, status), "ABORTED", /connecting/);
  await noClients(fake);
  assert.deepEqual(fake.commands, ["query-status"]);
});

test("the socket is closed when the body throws", async (context) => {
  const { path, fake } = await monitor(context);
  const mine = new Error("mine");
  await assert.rejects(
    withQmp(path, { timeoutMs: LONG_MS }, () => Promise.reject(mine)),
    mine,
  );
  await noClients(fake);
  await rm(path, { force: true });
});
