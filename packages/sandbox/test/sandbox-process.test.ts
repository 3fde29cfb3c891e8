import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { CommandError } from "@virga/sandbox";
import type { RunOptions, SpawnOptions } from "@virga/sandbox";
import { isVirgaError } from "@virga/vm";
import { isRunning, waitUntil } from "../../guest/test/process-facts.ts";
import { useAgentCommands } from "./agent-commands.ts";

const sh = (script: string, ...args: readonly string[]): string[] => ["sh", "-c", script, ...args];

async function allOf<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test("run gives what a command wrote, and rejects when it fails", async (t) => {
  const { commands } = await useAgentCommands(t);
  const good = await commands.run(sh("cat; echo err >&2; pwd; echo $A"), {
    stdin: "in\n",
    cwd: "/tmp",
    env: { A: "b c" },
  });
  const ended = { exitCode: 0, signal: undefined, timedOut: false };
  assert.deepEqual(good, { stdout: "in\n/tmp\nb c\n", stderr: "err\n", ...ended });
  const script = "echo out; printf 'first\\nno \\033[2J luck\\n' >&2; exit 3";
  await assert.rejects(commands.run(sh(script)), (error) => {
    assert.ok(error instanceof CommandError && isVirgaError(error));
    assert.equal(error.code, "COMMAND_FAILED");
    assert.equal(error.name, "CommandError");
    assert.match(error.message, /^The command failed: sh -c echo out; .* 3: no +\[2J luck$/);
    assert.deepEqual([error.exitCode, error.signal, error.timedOut], [3, undefined, false]);
    assert.deepEqual([error.stdout, error.stderr], ["out\n", "first\nno \u001b[2J luck\n"]);
    assert.deepEqual(error.command, sh(script));
    return true;
  });
  const told = await commands.run(sh("exit 3"), { reject: false });
  assert.equal(told.exitCode, 3);
  assert.ok(!(new Error("other") instanceof CommandError));
});

test("a signal and the time limit are failures that say so", async (t) => {
  const { commands } = await useAgentCommands(t);
  await assert.rejects(commands.run(sh("kill -9 $$")), {
    code: "COMMAND_FAILED",
    message: "The command failed: sh -c kill -9 $$ was ended by signal 9",
    exitCode: 137,
    signal: 9,
  });
  await assert.rejects(commands.run(["sleep", "1000"], { timeoutMs: 50 }), {
    message: "The command failed: sleep 1000 was ended by its time limit",
    timedOut: true,
  });
  // A command that catches the end and calls it success has not done its work.
  const catching = sh("trap 'exit 0' TERM KILL; sleep 1000 & wait");
  await assert.rejects(commands.run(catching, { timeoutMs: 50 }), { timedOut: true });
});

test("what cannot be started or was mistyped is refused", async (t) => {
  const { commands } = await useAgentCommands(t);
  await assert.rejects(commands.run(["no-such-program"]), {
    code: "GUEST_NOT_FOUND",
    message: /^Cannot run no-such-program: not found in the guest/,
  });
  await assert.rejects(commands.run(["true"], { timeout: 1 } as RunOptions), {
    code: "INVALID_ARGUMENT",
    message: /no option "timeout", did you mean "timeoutMs"/,
  });
  await assert.rejects(commands.run(["true"], { detach: true } as RunOptions), {
    code: "INVALID_ARGUMENT",
  });
  assert.throws(() => commands.spawn(["true"], { ptyy: {} } as SpawnOptions), {
    code: "INVALID_ARGUMENT",
  });
  await assert.rejects(commands.run(["yes"], { maxOutputBytes: 100_000 }), { code: "CAPACITY" });
  // Whoever only starts it is not brought down by what becomes of it.
  const failing = commands.spawn(["no-such-program"]);
  const { stdout } = failing;
  await assert.rejects(text(stdout), { code: "GUEST_NOT_FOUND" });
  await assert.rejects(failing.started, { code: "GUEST_NOT_FOUND" });
  await assert.rejects(failing.wait(), { code: "GUEST_NOT_FOUND" });
  await failing.close();
});

test("a spawned process can be awaited, and read and fed by its streams", async (t) => {
  const { commands } = await useAgentCommands(t);
  assert.equal((await commands.spawn(["echo", "x"])).stdout, "x\n");
  const cat = commands.spawn(sh("cat; echo err >&2; exit 4"), { stdin: true, reject: false });
  const output = Promise.all([text(cat.stdout), text(cat.stderr)]);
  const piece = "0123456789".repeat(10_000);
  for (let turn = 0; turn < 20; turn++) if (!cat.stdin.write(piece)) await once(cat.stdin, "drain");
  cat.stdin.end();
  assert.deepEqual(await output, [piece.repeat(20), "err\n"]);
  assert.deepEqual(await cat.wait(), { exitCode: 4, signal: undefined, timedOut: false });
  // What others read is not in the result.
  assert.deepEqual([(await cat).stdout, (await cat).exitCode], ["", 4]);
  const both = commands.spawn(["true"]);
  await both;
  assert.throws(() => both.stdout, { code: "INVALID_ARGUMENT", message: /the result reads it/ });
});

test("a reader that stops holds the process up, a process that reads no more lets the writer go", async (t) => {
  const { commands } = await useAgentCommands(t);
  const yes = commands.spawn(["yes"]);
  await once(yes.stdout, "readable");
  await commands.stats();
  const before = yes.stdout.readableLength;
  for (let turn = 0; turn < 20; turn++) await commands.stats();
  assert.ok(yes.stdout.readableLength <= before + 200_000, `${yes.stdout.readableLength} bytes`);
  await yes.close();
  const deaf = commands.spawn(["true"], { stdin: true });
  await deaf.wait();
  await deaf;
  deaf.stdin.end("late");
  if (!deaf.stdin.closed) await once(deaf.stdin, "close");
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(65_536);
    })(),
  );
  assert.equal((await commands.run(["head", "-c", "5"], { stdin: endless })).stdout.length, 5);
  const broken = Readable.from(
    (function* () {
      yield "a";
      throw new Error("no more");
    })(),
  );
  await assert.rejects(commands.run(["cat"], { stdin: broken }), { message: "no more" });
});

test("lines come as they are written, whatever pieces they come in", async (t) => {
  const { commands } = await useAgentCommands(t);
  const printing = sh("printf 'a\\r\\n\\nü'; sleep 0.01; printf 'ö\\nlast'");
  assert.deepEqual(await allOf(commands.spawn(printing)), ["a", "", "üö", "last"]);
  const many = await allOf(commands.spawn(["seq", "100000"]).lines());
  assert.deepEqual([many.length, many.at(-1)], [100_000, "100000"]);
  // The second line is asked for by the first: nothing waits for the end.
  const echo = commands.spawn(["cat"], { stdin: true });
  echo.stdin.write("1\n");
  const seen: string[] = [];
  for await (const line of echo) {
    seen.push(line);
    if (line === "3") echo.stdin.end();
    else echo.stdin.write(`${Number(line) + 1}\n`);
  }
  assert.deepEqual(seen, ["1", "2", "3"]);
  const long = commands.spawn(["head", "-c", "200000", "/dev/zero"], { maxOutputBytes: 100_000 });
  await assert.rejects(allOf(long), { code: "CAPACITY", message: /line of more than 100000/ });
});

test("a command that fails does so after its last line, with the end of its errors", async (t) => {
  const { commands } = await useAgentCommands(t);
  const seen: string[] = [];
  const script = "echo one; yes | head -c 1000000 >&2; echo why >&2; exit 9";
  const failing = commands.spawn(sh(script));
  await assert.rejects(
    async () => {
      for await (const line of failing) seen.push(line);
    },
    { code: "COMMAND_FAILED", exitCode: 9, message: /: why$/ },
  );
  assert.deepEqual(seen, ["one"]);
  await assert.rejects(async () => failing, { exitCode: 9 });
  assert.deepEqual(await allOf(commands.spawn(sh(script), { reject: false })), ["one"]);
});

test("who leaves the loop ends the process", async (t) => {
  const { commands } = await useAgentCommands(t);
  const process = commands.spawn(sh("while :; do echo x; sleep 0.01; done"));
  const { pid } = await process.started;
  for await (const line of process) if (line === "x") break;
  await waitUntil(() => !isRunning(pid));
  await assert.rejects(process.wait(), { code: "ABORTED" });
});

test("JSON is read value by value, and what is none is named with its line", async (t) => {
  const { commands } = await useAgentCommands(t);
  const printing = ["printf", '{"a":1}\\n\\n[2]\\n"x"\\n'];
  assert.deepEqual(await allOf(commands.spawn(printing).json()), [{ a: 1 }, [2], "x"]);
  const wrong = commands.spawn(sh("echo 1; echo; echo '{oops'; exec sleep 1000"));
  const { pid } = await wrong.started;
  await assert.rejects(allOf(wrong.json()), {
    code: "OUTPUT_INVALID",
    message: 'Line 3 of what sh wrote is not JSON: "{oops"',
    details: { line: 3 },
  });
  await waitUntil(() => !isRunning(pid));
});

test("signals and aborts reach it, and a lost connection tells that the outcome is unknown", async (t) => {
  const { commands, agents } = await useAgentCommands(t);
  const killed = commands.spawn(["sleep", "1000"]);
  await killed.kill("SIGTERM");
  await assert.rejects(async () => killed, { code: "COMMAND_FAILED", signal: 15 });
  const controller = new AbortController();
  const aborted = commands.spawn(["sleep", "1000"], { signal: controller.signal });
  await aborted.started;
  controller.abort();
  await assert.rejects(async () => aborted, { code: "ABORTED" });
  const lost = commands.spawn(["sleep", "1000"]);
  const { stdout } = lost;
  await lost.started;
  for (const child of agents.children) child.kill("SIGKILL");
  const unknown = {
    code: "GUEST_CONNECTION_LOST",
    details: { op: "exec", outcome: "unknown" },
    hint: /look before you try again/,
    what: "run sleep",
  };
  await assert.rejects(lost.wait(), unknown);
  await assert.rejects(text(stdout), unknown);
});

test("a detached process is listed, signalled, and attached to again", async (t) => {
  const { commands } = await useAgentCommands(t);
  const first = commands.spawn(sh("echo one; read line; echo $line; exit 2"), {
    detach: true,
    stdin: true,
    tag: "job",
  });
  const { pid } = await first.started;
  assert.equal((await first.lines().next()).value, "one");
  await first.close();
  const listed = (await commands.processes()).find(({ tag }) => tag === "job");
  assert.equal(listed?.pid, pid);
  const again = commands.attach({ tag: "job" });
  again.stdin.end("two\n");
  await assert.rejects(async () => again, { exitCode: 2, stdout: "one\ntwo\n" });
  const sleeper = await commands.spawn(["sleep", "1000"], { detach: true }).started;
  await commands.signal(sleeper.pid, "SIGKILL");
  assert.equal((await sleeper.exited).signal, 9);
  await assert.rejects(async () => commands.attach({ tag: "none" }), { code: "GUEST_NOT_FOUND" });
});

test("a terminal has a size, keys and a screen", async (t) => {
  const { commands } = await useAgentCommands(t);
  const terminal = await commands.terminal({ columns: 101, rows: 33, env: { PS1: "$ " } });
  let screen = "";
  // Heard all the time: what comes while nobody listens is lost.
  terminal.output.on("data", (bytes: Buffer) => {
    screen += bytes.toString("utf8");
  });
  const shows = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(screen)) await once(terminal.output, "data");
  };
  terminal.input.write("stty size; echo $TERM\n");
  await shows(/33 101\r\nxterm-256color\r\n/);
  await terminal.resize({ columns: 90, rows: 20 });
  terminal.input.write("stty size; exit 6\n");
  await shows(/20 90\r\n/);
  assert.deepEqual(await terminal.wait(), { exitCode: 6, signal: undefined, timedOut: false });
  const other = await commands.terminal({ command: ["cat"] });
  await other.kill();
  other.output.resume();
  assert.equal((await other.wait()).signal, 1);
});
