import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import type { GuestExit } from "../src/guest-process.ts";
import { AgentClient } from "../src/agent-client.ts";
import type { ExecOptions } from "../src/exec-request.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { guestError } from "./error-matchers.ts";

interface Finished {
  readonly exit: GuestExit;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  argv: readonly (string | Uint8Array)[],
  options: ExecOptions & { readonly input?: string } = {},
): Promise<Finished> {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const { input, ...rest } = options;
  const child = await client.exec(argv, { ...rest, ...(input !== undefined && { stdin: true }) });
  if (input !== undefined) child.stdin.end(input);
  const [exit, stdout, stderr] = await Promise.all([
    child.exited,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exit, stdout, stderr };
}

test("three streams and the exit code", async () => {
  const script = 'read line; echo "out $line"; echo err >&2; exit 7';
  assert.deepEqual(await run(["sh", "-c", script], { input: "hello\n" }), {
    exit: { code: 7, timedOut: false },
    stdout: "out hello\n",
    stderr: "err\n",
  });
});

test("without stdin a process reads /dev/null", async () => {
  assert.deepEqual((await run(["cat"])).exit, { code: 0, timedOut: false });
});

test("the end of stdin arrives", async () => {
  assert.equal((await run(["wc", "-c"], { input: "12345" })).stdout.trim(), "5");
  assert.equal((await run(["wc", "-c"], { input: "" })).stdout.trim(), "0");
});

test("environment and directory are those asked for", async () => {
  const { stdout } = await run(["sh", "-c", 'echo "$A $PATH"; pwd'], {
    env: { A: "ä b", PATH: "/bin:/usr/bin" },
    cwd: "/usr",
  });
  assert.equal(stdout, "ä b /bin:/usr/bin\n/usr\n");
  const bare = await run(["/usr/bin/env"], { env: { ONLY: "1" }, inheritEnv: false });
  assert.equal(bare.stdout, "ONLY=1\n");
});

test("arguments and directories are bytes", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const name = Buffer.concat([Buffer.from(`${directory}/`), Buffer.of(0xff, 0xfe)]);
  await writeFile(name, "found");
  assert.equal((await run(["cat", name])).stdout, "found");
});

test("a command that is missing, not executable, or in no directory is refused by name", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const plain = join(directory, "plain");
  await writeFile(plain, "#!/bin/sh\n");
  await chmod(plain, 0o644);
  await assert.rejects(
    run(["no-such-command"]),
    guestError("GUEST_NOT_FOUND", /no-such-command/, { what: "program", op: "exec" }),
  );
  await assert.rejects(
    run([join(directory, "none")]),
    guestError("GUEST_NOT_FOUND", /none/, { what: "program" }),
  );
  await assert.rejects(
    run([plain]),
    guestError("GUEST_NOT_EXECUTABLE", /plain/, { what: "program" }),
  );
  await assert.rejects(
    run(["true"], { cwd: join(directory, "none") }),
    guestError("GUEST_NOT_FOUND", /none/, { what: "cwd" }),
  );
});

test("a signal ends the process, and all of its group", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["sh", "-c", "sleep 1000 & echo ready; wait"]);
  await once(child.stdout, "data");
  await child.kill("SIGKILL");
  assert.deepEqual(await child.exited, { signal: 9, coreDumped: false, timedOut: false });
  await finished(child.stdout);
});

test("a signal to the process alone can be caught", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec([
    "sh",
    "-c",
    "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done",
  ]);
  await once(child.stdout, "data");
  await child.kill("SIGTERM", { group: false });
  assert.deepEqual(await child.exited, { code: 5, timedOut: false });
});

test("a time limit kills and says so", async () => {
  const { exit } = await run(["sleep", "1000"], { timeoutMs: 50 });
  assert.deepEqual(exit, { signal: 9, coreDumped: false, timedOut: true });
});

test("a terminal is one, has the size asked for, and can be resized", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const script =
    'trap "stty size; exit 3" WINCH; stty -echo; stty size; test -t 0 && echo "tty $TERM"; echo err >&2; while :; do sleep 0.01; done';
  const child = await client.exec(["sh", "-c", script], {
    pty: { rows: 24, cols: 80, term: "xterm-test" },
  });
  let output = "";
  child.stdout.setEncoding("utf8");
  for await (const piece of child.stdout) {
    output += piece as string;
    if (output.includes("err")) await child.resize({ rows: 50, cols: 132 });
  }
  assert.equal(output, "24 80\r\ntty xterm-test\r\nerr\r\n50 132\r\n");
  assert.deepEqual(await child.exited, { code: 3, timedOut: false });
  assert.equal(await text(child.stderr), "");
});

test("a terminal's stdin reaches the process, and its end characters", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(["sh", "-c", "stty -echo; echo ready; cat"], {
    pty: { rows: 24, cols: 80 },
  });
  await once(child.stdout, "data");
  child.stdin.write("hello\n\u0004");
  assert.equal(await text(child.stdout), "hello\r\n");
  assert.deepEqual(await child.exited, { code: 0, timedOut: false });
});

test("one connection serves exec after exec, and what else there is", async () => {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  for (let turn = 0; turn < 20; turn += 1) {
    const child = await client.exec(["echo", String(turn)]);
    child.stderr.resume();
    assert.equal(await text(child.stdout), `${turn}\n`);
    assert.deepEqual(await child.exited, { code: 0, timedOut: false });
    // Its connection is free from then on.
    if (!child.stdin.closed) await once(child.stdin, "close");
  }
  assert.equal((await client.ping()).version, 1);
  assert.ok((await client.stats()).memoryTotalKib > 0);
  assert.equal(agents.children.length, 1);
});

test("64 execs at once", async () => {
  await using agents = await AgentProcesses.of("agent", 65);
  await using client = new AgentClient({ connect: agents.connect });
  const outputs = await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      const child = await client.exec(["sh", "-c", `cat; echo ${index}`], { stdin: true });
      child.stdin.end(`in ${index} `);
      return await text(child.stdout);
    }),
  );
  assert.deepEqual(
    outputs,
    Array.from({ length: 64 }, (_, index) => `in ${index} ${index}\n`),
  );
});
