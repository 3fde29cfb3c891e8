import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { AgentClient } from "../src/agent-client.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { guestError } from "./error-matchers.ts";
import { residentKib } from "./process-facts.ts";

/** What may wait on the way from one end to the other: both buffers, the window, pipes and pieces. */
const onTheWay = 1_000_000;

test("100 MB go through cat and back unchanged", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["cat"], { stdin: true });
  child.stderr.resume();
  const block = randomBytes(1_000_000);
  const sent = createHash("sha256");
  const received = createHash("sha256");
  function* blocks(): Generator<Buffer> {
    for (let index = 0; index < 100; index += 1) {
      const next = Buffer.from(block);
      next.writeUInt32LE(index);
      sent.update(next);
      yield next;
    }
  }
  await Promise.all([
    pipeline(Readable.from(blocks()), child.stdin),
    pipeline(child.stdout, received),
  ]);
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
  assert.equal(received.digest("hex"), sent.digest("hex"));
});

test("a reader that stops holds the writer up, and nobody's memory grows", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["sh", "-c", "exec cat /dev/zero"]);
  child.stderr.resume();
  const agent = agents.children[0]?.pid;
  const read = async (): Promise<number> => {
    const piece = child.stdout.read() as Buffer | null;
    if (piece !== null) return piece.length;
    await new Promise((resolve) => child.stdout.once("readable", resolve));
    return 0;
  };
  // Slowly: what is read comes piece by piece, and in between everything has the time to pile up.
  let total = await read();
  while (total < 5_000_000) total += await read();
  const early = residentKib(agent);
  const held = child.stdout.readableLength;
  while (total < 100_000_000) {
    total += await read();
    assert.ok(child.stdout.readableLength < 200_000);
  }
  assert.ok(held < 200_000);
  assert.ok(residentKib(agent) - early < 1_000, `agent: ${early} → ${residentKib(agent)} KiB`);
  await child.close();
});

test("a command that does not read holds a writer up, who has sent little by then", async () => {
  await using agents = await AgentProcesses.of("agent", 2);
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["sleep", "1000"], { stdin: true });
  let given = 0;
  const piece = Buffer.alloc(65_536);
  function* gigabyte(): Generator<Buffer> {
    for (; given < 1_000_000_000; given += piece.length) yield piece;
  }
  const writing = pipeline(Readable.from(gigabyte()), child.stdin).catch((error: unknown) => error);
  // The agent has had the time to take whatever it takes when it has answered other calls.
  for (let turn = 0; turn < 20; turn += 1) await client.stats();
  assert.ok(given > 100_000, `${given} bytes`);
  assert.ok(given < onTheWay, `${given} bytes`);
  await child.close();
  assert.ok(guestError("ABORTED")(await writing));
});

test("300 MB go to a command without anybody keeping them", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["wc", "-c"], { stdin: true });
  child.stderr.resume();
  const piece = Buffer.alloc(100_000);
  const agent = agents.children[0]?.pid;
  let early: { agent: number; host: number } | undefined;
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let index = 0; index < 3_000; index += 1) {
      if (index === 300) early = { agent: residentKib(agent), host: process.memoryUsage().rss };
      yield piece;
    }
  }
  await pipeline(Readable.from(pieces()), child.stdin);
  assert.ok(early);
  assert.ok(residentKib(agent) - early.agent < 1_000);
  assert.ok(process.memoryUsage().rss - early.host < 60_000_000);
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text as string;
  assert.equal(output.trim(), "300000000");
});
