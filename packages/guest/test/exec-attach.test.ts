import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { AgentClient } from "../src/agent-client.ts";
import type { GuestProcessInfo } from "../src/process-list.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { guestError } from "./error-matchers.ts";
import { isRunning, waitUntil } from "./process-facts.ts";

interface Setting extends AsyncDisposable {
  readonly agents: AgentProcesses;
  readonly client: AgentClient;
}

/** One agent for all connections of a test, of which one stays open. */
async function setting(): Promise<Setting> {
  const agents = await AgentProcesses.of("agent", 100);
  const client = new AgentClient({ connect: agents.connect, maxIdle: 3 });
  // The agent of a test ends with its last connection, and all that it started with it.
  await client.exec(["sleep", "1000"]);
  return {
    agents,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await agents[Symbol.asyncDispose]();
    },
  };
}

/** Waits until the agent tells something of its processes. */
async function until(
  client: AgentClient,
  condition: (processes: GuestProcessInfo[]) => boolean,
): Promise<void> {
  while (!condition(await client.processes()));
}

test("who attaches gets the last output, what follows, stdin, and the exit, once", async () => {
  await using place = await setting();
  const { client } = place;
  const first = await client.exec(["sh", "-c", "echo one; echo err >&2; cat; exit 6"], {
    detach: true,
    stdin: true,
    tag: "job",
  });
  await Promise.all([once(first.stdout, "data"), once(first.stderr, "data")]);
  await first.close();
  const second = await client.attach({ tag: "job" });
  assert.equal(second.pid, first.pid);
  assert.deepEqual(second.outputFrom, { stdout: 0, stderr: 0 });
  second.stdin.end("two\n");
  const output = Promise.all([text(second.stdout), text(second.stderr)]);
  assert.deepEqual(await second.exited, { code: 6, timedOut: false });
  assert.deepEqual(await output, ["one\ntwo\n", "err\n"]);
  await assert.rejects(client.attach({ tag: "job" }), guestError("GUEST_NOT_FOUND", /"job"/));
  await assert.rejects(client.attach(first.pid), guestError("GUEST_NOT_FOUND", /pid/));
});

test("a process that ended without a host keeps its exit and last output for one that comes", async (t) => {
  await using place = await setting();
  const { client } = place;
  const directory = await mkdtemp(join(tmpdir(), "virga-attach-"));
  t.after(() => rm(directory, { recursive: true }));
  const go = join(directory, "go");
  const script = 'until [ -e "$0" ]; do sleep 0.01; done; seq 1000; kill -TERM $$';
  const child = await client.exec(["sh", "-c", script, go], { detach: true, ringBytes: 1_000 });
  await child.close();
  // One that ended before the agent heard of that would have told its host.
  await until(client, (all) => all.some(({ pid, isAttached }) => pid === child.pid && !isAttached));
  await writeFile(go, "");
  await until(client, (all) => all.some(({ pid, exit }) => pid === child.pid && !!exit));
  const late = await client.attach(child.pid);
  const whole = Array.from({ length: 1_000 }, (_, index) => `${index + 1}\n`).join("");
  const { stdout } = late.outputFrom;
  assert.ok(stdout >= whole.length - 1_000 && stdout < whole.length - 500, `${stdout}`);
  assert.equal(await text(late.stdout), whole.slice(stdout));
  assert.deepEqual(await late.exited, { signal: 15, coreDumped: false, timedOut: false });
  await until(client, (all) => all.length === 1);
});

test("output of a detached process never holds it up, and the ring keeps its end, whatever its size", async () => {
  await using place = await setting();
  const { client } = place;
  for (const ringBytes of [0, 3, 4, 100, 65_536, 1_048_576]) {
    const script = "yes 0123456789 | head -c 3000000; echo end >&2; printf last";
    const child = await client.exec(["sh", "-c", script], { detach: true, ringBytes });
    await child.close();
    await until(client, (all) => all.some(({ pid, exit }) => pid === child.pid && !!exit));
    const late = await client.attach(child.pid);
    const [stdout, stderr] = await Promise.all([text(late.stdout), text(late.stderr)]);
    const { outputFrom } = late;
    assert.equal(outputFrom.stdout + stdout.length, 3_000_004);
    assert.equal(outputFrom.stderr + stderr.length, 4);
    assert.ok("last".endsWith(stdout.slice(-4)), stdout.slice(-4));
    assert.ok(stdout.length + stderr.length <= ringBytes);
    assert.ok(stdout.length >= ringBytes / 2 - 20, `${stdout.length} of ${ringBytes}`);
  }
});

test("a second connection takes a process over, and the first is told", async () => {
  await using place = await setting();
  const { client } = place;
  const first = await client.exec(["sh", "-c", "stty -echo; echo ready; cat"], {
    detach: true,
    pty: { rows: 4, cols: 5 },
  });
  await once(first.stdout, "data");
  const second = await client.attach(first.pid, { replay: false });
  const taken = guestError("GUEST_TAKEN_OVER", /took over/, { op: "exec" });
  await assert.rejects(first.exited, taken);
  await assert.rejects(text(first.stdout), taken);
  await first.close();
  second.stdin.write("still here\n");
  let echoed = "";
  for await (const piece of second.stdout.iterator({ destroyOnReturn: false })) {
    echoed += String(piece);
    if (echoed.endsWith("\n")) break;
  }
  assert.equal(echoed, "still here\r\n");
  await second.resize({ rows: 6, cols: 7 });
  await second.kill("SIGKILL");
  assert.equal((await second.exited).signal, 9);
  assert.equal((await buffer(second.stderr)).length, 0);
});

test("processes are listed, tags are their own, and a signal reaches one without attaching", async () => {
  await using place = await setting();
  const { client } = place;
  const child = await client.exec(["sleep", "1001"], { detach: true, tag: "sleeper" });
  await assert.rejects(
    client.exec(["true"], { tag: "sleeper" }),
    guestError("GUEST_BAD_REQUEST", /another one has the tag "sleeper"/),
  );
  const mine = async (): Promise<GuestProcessInfo | undefined> =>
    (await client.processes()).find(({ tag }) => tag === "sleeper");
  const listed = await mine();
  assert.ok(listed && listed.startedMs <= (await client.ping()).bootMs);
  const { startedMs: _, ...facts } = listed;
  assert.deepEqual(facts, {
    pid: child.pid,
    tag: "sleeper",
    program: "sleep",
    hasTerminal: false,
    isAttached: true,
    exit: undefined,
  });
  await child.close();
  await until(client, (all) => all.some(({ tag, isAttached }) => !!tag && !isAttached));
  await client.signal({ tag: "sleeper" }, "SIGTERM");
  await waitUntil(() => !isRunning(child.pid));
  await until(client, (all) => all.some(({ tag, exit }) => !!tag && exit?.signal === 15));
  // One that has ended does not keep its tag from others.
  const next = await client.exec(["true"], { detach: true, tag: "sleeper" });
  assert.deepEqual(await next.exited, { code: 0, timedOut: false });
  await assert.rejects(client.signal(1, "SIGTERM"), guestError("GUEST_NOT_FOUND", /pid 1/));
  await assert.rejects(client.attach({ tag: "" }), guestError("GUEST_BAD_REQUEST", /tag/));
});

test("those that nobody asks for make room for others, the oldest first", async () => {
  await using place = await setting();
  const { client } = place;
  for (let turn = 0; turn < 70; turn += 1) {
    const child = await client.exec(["sleep", "1000"], { detach: true, tag: `t${turn}` });
    await child.close();
    await until(client, (all) => all.every(({ tag, isAttached }) => !tag || !isAttached));
    await client.signal(child.pid, "SIGKILL");
    await until(client, (all) => all.every(({ tag, exit }) => tag === undefined || !!exit));
  }
  const listed = await client.processes();
  assert.ok(listed.length <= 64);
  const tags = new Set(listed.map(({ tag }) => tag));
  assert.ok(!tags.has("t0") && tags.has("t69"));
});
