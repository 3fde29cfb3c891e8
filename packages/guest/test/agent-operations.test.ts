import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { AgentClient } from "../src/agent-client.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { guestError } from "./error-matchers.ts";
import { isRunning, waitUntil } from "./process-facts.ts";

// As an ordinary process the agent leaves the machine alone: it keeps what it is told and freezes nothing.

test("ping tells of init and prepare; the environment of init reaches execs", async () => {
  await using agents = await AgentProcesses.of("agent", 8);
  await using client = new AgentClient({ connect: agents.connect });
  const before = await client.ping();
  assert.deepEqual([before.version, before.prepared, before.initialised], [1, false, false]);
  await client.init({ env: { VIRGA_TEST: "from init", TERM: "init" } });
  assert.equal((await client.ping()).initialised, true);
  const child = await client.exec(["sh", "-c", 'echo "$VIRGA_TEST $TERM"'], {
    env: { TERM: "exec" },
  });
  assert.equal(await text(child.stdout), "from init exec\n");
  const stats = await client.stats();
  assert.ok(stats.memoryTotalKib >= stats.memoryFreeKib && stats.agentResidentKib > 0);
  assert.ok((await client.ping()).bootMs >= before.bootMs);
});

test("what the agent finds wrong is refused with its words", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const bad = (fields: Record<string, string | number | boolean | string[]>): Promise<unknown> =>
    client.request("exec", fields);
  await assert.rejects(bad({ stdin: false }), guestError("GUEST_BAD_REQUEST", /argv/));
  await assert.rejects(bad({ argv: ["true"], stdin: 5 }), guestError("GUEST_BAD_REQUEST", /stdin/));
  await assert.rejects(
    client.request("init", { entropy: "text" }),
    guestError("GUEST_BAD_REQUEST", /entropy/),
  );
  await assert.rejects(client.request("tea"), guestError("GUEST_UNKNOWN_OP"));
  assert.equal(agents.children.length, 1);
});

test("stats are samples whose difference tells how busy the guest was", async () => {
  await using agents = await AgentProcesses.of("agent", 4);
  await using client = new AgentClient({ connect: agents.connect });
  const before = await client.stats();
  const child = await client.exec(["sh", "-c", "while :; do :; done"]);
  let after = await client.stats();
  // A tick of the processor clock is 10 ms.
  while (after.cpuBusyMs <= before.cpuBusyMs) after = await client.stats();
  await child.close();
  assert.ok(after.cpuTotalMs >= after.cpuBusyMs && after.cpus >= 1);
  assert.ok(after.diskTotalKib >= after.diskFreeKib && after.diskFreeKib > 0);
});

test("the agent stays within a mebibyte, whatever it did", async (t) => {
  const directory = await useTemporaryDirectory(t);
  for (let index = 0; index < 400; index += 1) {
    const below = join(directory, String(index % 20), String(index));
    mkdirSync(below, { recursive: true });
    writeFileSync(join(below, "a file with a name that is not short"), "");
  }
  await using agents = await AgentProcesses.of("agent", 40);
  await using client = new AgentClient({ connect: agents.connect });
  const program = ["sh", "-c", "head -c 3000000 /dev/zero; cat >/dev/null"];
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const child = await client.exec(program, { stdin: true, user: "root" });
      child.stdin.end(Buffer.alloc(500_000));
      for await (const piece of child.stdout) assert.ok(piece);
    }),
  );
  let listed = 0;
  for await (const { path } of client.files.list(directory, { depth: 3 }))
    listed += path.length > 0 ? 1 : 0;
  assert.equal(listed, 20 + 400 + 400);
  const { agentResidentKib } = await client.stats();
  assert.ok(agentResidentKib <= 1_024, `${agentResidentKib} KiB`);
});

test("where nothing can be frozen, prepare says so and execs go on", async () => {
  await using agents = await AgentProcesses.of("agent", 4);
  await using client = new AgentClient({ connect: agents.connect });
  await assert.rejects(client.prepare(), guestError("GUEST_FAILED", /freeze/, { op: "prepare" }));
  assert.equal((await client.ping()).prepared, false);
  await client.thaw();
  const child = await client.exec(["echo", "on"]);
  assert.equal(await text(child.stdout), "on\n");
});

test("shutdown ends the agent and what it runs", async () => {
  await using agents = await AgentProcesses.of("agent", 3);
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["sleep", "1000"]);
  await client.shutdown("poweroff");
  const [agent] = agents.children;
  assert.ok(agent);
  if (agent.exitCode === null) await once(agent, "exit");
  await waitUntil(() => !isRunning(child.pid));
  // Either its exit was still told, or the connection went first.
  await child.exited.catch((error: unknown) =>
    assert.ok(guestError("GUEST_CONNECTION_LOST")(error)),
  );
});
