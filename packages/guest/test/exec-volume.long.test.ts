import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { AgentClient } from "../src/agent-client.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { residentKib } from "./process-facts.ts";

test("1 GiB of output arrives with its hash, and the agent keeps none of it", async () => {
  await using agents = await AgentProcesses.of("agent", 4);
  await using client = new AgentClient({ connect: agents.connect });
  const script = "seq 200000000 | head -c 1073741824";
  const before = await client.stats();
  const child = await client.exec(["sh", "-c", script]);
  child.stderr.resume();
  const received = createHash("sha256");
  await pipeline(child.stdout, received);
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
  assert.ok(residentKib(agents.children[0]?.pid) - before.agentResidentKib < 1_000);
  const hashing = await client.exec(["sh", "-c", `${script} | sha256sum`]);
  const [expected = ""] = (await text(hashing.stdout)).split(" ");
  assert.equal(received.digest("hex"), expected);
});
