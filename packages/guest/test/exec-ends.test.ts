import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { AgentClient } from "../src/agent-client.ts";
import { isGuestError } from "../src/errors.ts";
import { Random } from "../fuzz/random.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { CutStream } from "./cut-stream.ts";
import { guestError } from "./error-matchers.ts";
import { isRunning, waitUntil } from "./process-facts.ts";

/** A script that prints its own and a child's process id and then waits. */
const family = "sleep 1000 & echo $$ $!; wait";

async function pidsOf(output: AsyncIterable<Buffer | string>): Promise<number[]> {
  for await (const piece of output) return String(piece).trim().split(" ").map(Number);
  return [];
}

test("an abort kills the process and its children", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const controller = new AbortController();
  const child = await client.exec(["sh", "-c", family], { signal: controller.signal });
  const pids = await pidsOf(child.stdout.iterator({ destroyOnReturn: false }));
  assert.ok(pids.length === 2 && pids.every(isRunning));
  assert.equal(pids[0], child.pid);
  controller.abort();
  await assert.rejects(child.exited, guestError("ABORTED"));
  await waitUntil(() => !pids.some(isRunning));
});

test("leaving the scope of a process kills it", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  let pids: number[];
  {
    await using child = await client.exec(["sh", "-c", family]);
    pids = await pidsOf(child.stdout.iterator({ destroyOnReturn: false }));
  }
  await waitUntil(() => !pids.some(isRunning));
});

test("a detached process lives on when its connection ends, another does not", async () => {
  await using agents = await AgentProcesses.of("agent", 3);
  await using client = new AgentClient({ connect: agents.connect });
  // The agent of this test ends with its last connection, and all that it started with it: so one stays.
  await client.exec(["sleep", "1000"]);
  const detached = await client.exec(["sleep", "1000"], { detach: true });
  const attached = await client.exec(["sleep", "1000"]);
  await detached.close();
  await assert.rejects(detached.exited, guestError("ABORTED"));
  await attached.close();
  await waitUntil(() => !isRunning(attached.pid));
  assert.equal(isRunning(detached.pid), true);
  await client.close();
  await waitUntil(() => !isRunning(detached.pid));
  assert.equal(agents.children.length, 1);
});

test("a background child that holds the output does not hold the exit, and its output ends soon after", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["sh", "-c", "sleep 1000 & echo $!"]);
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
  const [output] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const background = Number(output);
  if (isRunning(background)) process.kill(background, "SIGKILL");
});

test("the agent is killed: exit and streams fail at once, the next call gets another agent", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["cat"], { stdin: true });
  agents.children[0]?.kill("SIGKILL");
  const lost = guestError("GUEST_CONNECTION_LOST", /during exec/, {
    op: "exec",
    outcome: "unknown",
  });
  await assert.rejects(child.exited, lost);
  await assert.rejects(text(child.stdout), lost);
  await assert.rejects(text(child.stderr), lost);
  assert.equal(child.stdin.destroyed, true);
  const again = await client.exec(["echo", "again"]);
  assert.equal(await text(again.stdout), "again\n");
});

test("connections that break off anywhere leave no process, and the next one works", async () => {
  const random = new Random(20_261_124);
  await using agents = await AgentProcesses.of("agent", 100);
  const pids: number[] = [];
  const ends: Record<string, number> = {};
  for (let round = 0; round < 500; round += 1) {
    // Half of the rounds break off early, where handshake, request and answer are.
    const limit = random.pick([120, 400, 100_000, 300_000]);
    const limits = { writes: 1 + random.below(limit), reads: 1 + random.below(limit) };
    // One that breaks off before the welcome is replaced; the second must not break off at the same place.
    let isFirst = true;
    const client = new AgentClient({
      connect: async (options) => {
        const stream = await agents.connect(options);
        if (!isFirst) return stream;
        isFirst = false;
        return new CutStream(stream, limits);
      },
    });
    try {
      const child = await client.exec(["cat"], { stdin: true });
      pids.push(child.pid);
      child.stdin.end(Buffer.alloc(200_000, round));
      const [out] = await Promise.allSettled([text(child.stdout), text(child.stderr)]);
      ends[out.status] = (ends[out.status] ?? 0) + 1;
      const exit = await child.exited.catch((error: unknown) => error);
      if (out.status === "fulfilled") assert.deepEqual(exit, { code: 0, timedOut: false });
    } catch (error) {
      if (!isGuestError(error)) throw error;
      ends[error.code] = (ends[error.code] ?? 0) + 1;
    }
    await client.close();
  }
  assert.ok((ends["rejected"] ?? 0) > 100, JSON.stringify(ends));
  await waitUntil(() => !pids.some(isRunning));
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["echo", "alive"]);
  assert.ok(agents.children.length < 11);
  assert.equal(await text(child.stdout), "alive\n");
});

test("a process that closes its output and goes on is told to have closed it", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const script = "echo last; exec >&- 2>&-; read -r code; exit $code";
  const child = await client.exec(["sh", "-c", script], { stdin: true });
  child.stderr?.resume();
  // It goes on until it is told to end, which happens only after its output has ended here.
  assert.equal(await text(child.stdout), "last\n");
  child.stdin.end("7\n");
  const exit = await child.exited;
  assert.ok("code" in exit && exit.code === 7, JSON.stringify(exit));
});
