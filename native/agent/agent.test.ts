// The agent under sanitizers, as an ordinary process over socket pairs. What a program sees and what a host sees of it
// is tested with the shipped build in packages/guest/test; here every path is walked once, and the faults.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type AgentClient, type ExecOptions, type GuestErrorCode, GuestError } from "@virga/guest";
import { compilerSkip } from "../test-program.ts";
import { matching, startAgent } from "./test-agent.ts";

describe("agent", { skip: compilerSkip }, () => {
  async function run(client: AgentClient, argv: string[], options: ExecOptions = {}) {
    await using process = await client.exec(argv, options);
    const [exit, stdout, stderr] = await Promise.all([
      process.exited,
      text(process.stdout),
      text(process.stderr),
    ]);
    return { exit, stdout, stderr };
  }

  test("streams, codes and signals", async (t) => {
    const client = await startAgent(t);
    const script = "echo out; echo err >&2; exit 3";
    assert.deepEqual(await run(client, ["sh", "-c", script]), {
      exit: { code: 3, timedOut: false },
      stdout: "out\n",
      stderr: "err\n",
    });
    const { exit } = await run(client, ["sh", "-c", "kill -USR1 $$"]);
    assert.deepEqual(exit, { signal: 10, coreDumped: false, timedOut: false });
  });

  test("much goes in and out, on both output streams at once", async (t) => {
    const client = await startAgent(t);
    await using child = await client.exec(["sh", "-c", "tee /dev/stderr"], { stdin: true });
    const input = Buffer.alloc(3_000_000, "abcdefg");
    child.stdin.end(input);
    const [out, err] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    assert.ok(out.equals(input) && err.equals(input));
  });

  test("a program that reads nothing, or no longer, does not stop its host", async (t) => {
    const client = await startAgent(t);
    await using closed = await client.exec(["sh", "-c", "exec <&-; echo ready; sleep 1000"], {
      stdin: true,
    });
    await once(closed.stdout, "data");
    closed.stdin.write(Buffer.alloc(1_000_000));
    await once(closed.stdin, "drain");
    await using blocked = await client.exec(["sleep", "1000"], { stdin: true });
    blocked.stdin.write(Buffer.alloc(1_000_000));
    await blocked.kill("SIGKILL");
    assert.equal((await blocked.exited).signal, 9);
  });

  test("a terminal outlives the moment in which nobody has it open", async (t) => {
    const client = await startAgent(t);
    // All descriptors of the terminal are closed, and it is opened again by its other name.
    const script =
      "exec <&- >&- 2>&-; sleep 0.2; exec </dev/tty >/dev/tty; read line; echo got $line; stty size";
    await using child = await client.exec(["sh", "-c", script], { pty: { rows: 7, cols: 8 } });
    child.stdin.write("hello\n");
    const [exit, output] = await Promise.all([child.exited, text(child.stdout)]);
    assert.deepEqual(exit, { code: 0, timedOut: false });
    assert.match(output, /got hello\r\n7 8\r\n/u);
  });

  test("time limits end a program and its children", async (t) => {
    const client = await startAgent(t);
    const { exit } = await run(client, ["sh", "-c", "sleep 1000 & wait"], { timeoutMs: 50 });
    assert.deepEqual(exit, { signal: 9, coreDumped: false, timedOut: true });
  });

  test("what background children hold at the end is still sent", async (t) => {
    const client = await startAgent(t);
    const { exit, stdout } = await run(client, ["sh", "-c", "sleep 1000 & echo last; exit 4"]);
    assert.deepEqual([exit.code, stdout], [4, "last\n"]);
    const endless = await run(client, ["sh", "-c", "yes & sleep 0.1"]);
    assert.equal(endless.exit.code, 0);
    assert.match(endless.stdout, /^(?:y\n)+y?$/u);
  });

  test("programs that cannot be started are refused by what is wrong", async (t) => {
    const client = await startAgent(t);
    const directory = mkdtempSync(join(tmpdir(), "virga-agent-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = (name: string, content: string, mode: number): string => {
      const path = join(directory, name);
      writeFileSync(path, content);
      chmodSync(path, mode);
      return path;
    };
    const orphan = file("orphan", "#!/nonexistent/interpreter\n", 0o755);
    const nothing = file("nothing", "no program\n", 0o755);
    const closed = file("closed", "#!/bin/sh\n", 0o644);
    const cases: [string, ExecOptions, GuestErrorCode, RegExp][] = [
      ["none", {}, "GUEST_NOT_FOUND", /"none": not found in PATH/u],
      [`${directory}/none`, {}, "GUEST_NOT_FOUND", /No such file/u],
      [orphan, {}, "GUEST_NOT_EXECUTABLE", /its interpreter does not exist/u],
      [nothing, {}, "GUEST_NOT_EXECUTABLE", /Exec format error/u],
      [closed, {}, "GUEST_NOT_EXECUTABLE", /Permission denied/u],
      [directory, {}, "GUEST_NOT_EXECUTABLE", /Permission denied/u],
      ["nothing", { env: { PATH: `/none:${directory}` } }, "GUEST_NOT_EXECUTABLE", /Exec format/u],
      ["true", { cwd: `${directory}/none` }, "GUEST_NOT_FOUND", /enter.*No such file/u],
      ["true", { cwd: closed }, "GUEST_NOT_FOUND", /Not a directory/u],
      ["true", { cwd: Buffer.from(`${directory}/\xff`, "latin1") }, "GUEST_NOT_FOUND", /enter/u],
    ];
    for (const [name, options, code, message] of cases) {
      await assert.rejects(client.exec([name], options), matching(code, message), name);
    }
    assert.equal((await run(client, ["true"])).exit.code, 0);
  });

  test("ill-formed requests are refused, each by name", async (t) => {
    const client = await startAgent(t);
    const good = { argv: ["true"], stdin: false };
    const pty = { rows: 1, cols: 1 };
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 1]));
    const cases: [string, Record<string, never> | object, RegExp][] = [
      ["exec", {}, /stdin/u],
      ["exec", { ...good, stdin: 1 }, /stdin/u],
      ["exec", { ...good, argv: "true" }, /argv is not an array/u],
      ["exec", { ...good, argv: [] }, /argv must have/u],
      ["exec", { ...good, argv: [""] }, /argv\[0\] is empty/u],
      ["exec", { ...good, argv: [1] }, /str or bin/u],
      ["exec", { ...good, argv: ["a\0b"] }, /NUL/u],
      ["exec", { ...good, argv: Array.from({ length: 1_025 }, () => "a") }, /1 to 1024/u],
      ["exec", { ...good, cwd: 1 }, /cwd/u],
      ["exec", { ...good, cwd: "x".repeat(4_096) }, /cwd/u],
      ["exec", { ...good, env: [] }, /env is not a map/u],
      ["exec", { ...good, env: { "": "1" } }, /env must have/u],
      ["exec", { ...good, env: { "a=b": "1" } }, /env must have/u],
      ["exec", { ...good, env: { a: 1 } }, /env must have/u],
      ["exec", { ...good, pty: true }, /pty/u],
      ["exec", { ...good, pty: { ...pty, rows: 65_536 } }, /rows and cols/u],
      ["exec", { ...good, pty: { ...pty, term: 1 } }, /term/u],
      ["exec", { ...good, timeoutMs: 0 }, /timeoutMs/u],
      ["exec", { ...good, detach: "yes" }, /detach/u],
      ["exec", { ...good, inheritEnv: 0 }, /inheritEnv/u],
      ["exec", { ...good, user: 1 }, /user/u],
      ["exec", { ...good, user: "x".repeat(64) }, /user/u],
      ["exec", { ...good, tag: "x".repeat(64) }, /tag/u],
      ["exec", { ...good, login: 1 }, /login/u],
      ["exec", { ...good, ringBytes: 1_048_577 }, /ringBytes/u],
      ["exec", { ...good, limits: [] }, /limits is not a map/u],
      ["exec", { ...good, limits: { files: 1 } }, /limit that does not exist/u],
      ["exec", { ...good, limits: { nofile: -2 } }, /limits must/u],
      ["exec", { ...good, limits: { nofile: [1] } }, /limits must/u],
      ["exec", { ...good, limits: { nofile: [2, 1] } }, /soft at most hard/u],
      ["exec", { ...good, limits: many }, /more than 16/u],
      ["attach", {}, /pid or by its tag/u],
      ["attach", { pid: 1, tag: "a" }, /pid or by its tag/u],
      ["attach", { pid: 1, replay: 1 }, /replay/u],
      ["signal", { pid: 1 }, /signal is not/u],
      ["signal", { pid: 0, signal: 1 }, /pid or by its tag/u],
      ["prepare", {}, /timeoutMs/u],
      ["shutdown", { mode: "off" }, /mode/u],
      ...initCases(),
    ];
    for (const [op, fields, message] of cases) {
      await assert.rejects(
        client.request(op, fields as Record<string, never>),
        matching("GUEST_BAD_REQUEST", message),
        `${op} ${JSON.stringify(fields).slice(0, 200)}`,
      );
    }
  });

  test("no more than 64 programs at once, and then again", async (t) => {
    const client = await startAgent(t);
    const all = await Promise.all(
      Array.from({ length: 64 }, () => client.exec(["cat"], { stdin: true })),
    );
    await assert.rejects(client.exec(["true"]), matching("GUEST_FAILED", /64 are running/u));
    await Promise.all(all.map((child) => child.close()));
    // Their ends are reaped when the agent gets to it.
    while (!(await run(client, ["true"]).catch(() => false))) await sleep(1);
  });

  test("users, login shells and limits, and another host for a program", async (t) => {
    const client = await startAgent(t);
    const { user, limits } = { user: "daemon", limits: { nofile: [20, 40] as const } };
    const script = "ulimit -n; id -un";
    if (process.getuid?.() === 0) {
      const { stdout } = await run(client, ["sh", "-c", script], { user, limits });
      assert.equal(stdout, "20\ndaemon\n");
      assert.equal((await run(client, ["-c", "exit 3"], { login: true })).exit.code, 3);
    }
    await assert.rejects(
      client.exec(["true"], { user: "no-such-user" }),
      matching("GUEST_NOT_FOUND", /no such user/u),
    );
    await assert.rejects(
      client.exec(["true"], { limits: { nofile: 2 ** 40 } }),
      matching("GUEST_FAILED", /Cannot set the limits of "true"/u),
    );
    const child = await client.exec(["sh", "-c", "seq 100000; cat"], {
      detach: true,
      stdin: true,
      tag: "one",
      ringBytes: 5_000,
    });
    await new Promise((resolve) => child.stdin.write(Buffer.alloc(100_000, "x"), resolve));
    await child.close();
    const next = await client.attach({ tag: "one" });
    await client.attach({ tag: "one" }).then((third) => third.close());
    await assert.rejects(next.exited, matching("GUEST_TAKEN_OVER", /took over/u));
    const last = await client.attach({ tag: "one" });
    last.stdin.end("done");
    assert.match(await text(last.stdout), /x+done$/u);
    assert.equal((await last.exited).code, 0);
    // One that nobody asks for is freed with the agent.
    const left = await client.exec(["sleep", "1000"], { detach: true, tag: "left" });
    await left.close();
    await client.signal({ tag: "left" }, "SIGTERM");
    assert.ok((await client.processes()).length >= 1);
  });

  test("a lost connection kills, but what was detached goes on and its output is dropped", async (t) => {
    const client = await startAgent(t);
    const directory = mkdtempSync(join(tmpdir(), "virga-agent-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const done = join(directory, "done");
    // More than windows, pipes and buffers hold.
    const script = `echo $$; yes | head -c 10000000; touch ${done}`;
    for (const detach of [true, false]) {
      const child = await client.exec(["sh", "-c", script], { stdin: true, detach });
      const pid = Number.parseInt(String(await once(child.stdout, "data")), 10);
      child.stdout.pause();
      await child.close();
      while (existsSync(`/proc/${pid}`)) await sleep(1);
      assert.equal(existsSync(done), detach);
      rmSync(done, { force: true });
    }
  });

  test("shutdown ends what runs, by SIGKILL where SIGTERM does not do", async (t) => {
    const client = await startAgent(t);
    const stubborn = await client.exec([
      "sh",
      "-c",
      "trap '' TERM; echo ready; while :; do sleep 1; done",
    ]);
    await once(stubborn.stdout, "data");
    const exited = assert.rejects(stubborn.exited).then(
      () => "lost",
      () => "exited",
    );
    await client.shutdown("poweroff");
    await assert.rejects(client.exec(["true"]), GuestError);
    await exited;
    while (existsSync(`/proc/${stubborn.pid}`)) await sleep(1);
  });
});

function initCases(): [string, object, RegExp][] {
  const entropy = Buffer.alloc(32);
  const network = { interface: "eth0", address: "10.0.2.15/24" };
  const wrongNetworks: [object, RegExp][] = [
    [{ address: network.address }, /interface/u],
    [{ ...network, interface: "x".repeat(16) }, /interface/u],
    [{ ...network, address: "10.0.2.15" }, /address/u],
    [{ ...network, address: "10.0.2.15/33" }, /address/u],
    [{ ...network, address: "10.0.2/24" }, /address/u],
    [{ ...network, gateway: "10.0.2.256" }, /gateway/u],
    [{ ...network, dns: "10.0.2.3" }, /dns/u],
    [{ ...network, dns: Array.from({ length: 9 }, () => "1.1.1.1") }, /dns/u],
    [{ ...network, mac: "52:54:00:12:34:5" }, /mac/u],
    [{ ...network, mac: "53:54:00:12:34:56" }, /mac/u],
    [{ ...network, mtu: 67 }, /mtu/u],
  ];
  return [
    ["init", {}, /entropy/u],
    ["init", { entropy: Buffer.alloc(31) }, /entropy/u],
    ["init", { entropy: Buffer.alloc(257) }, /entropy/u],
    ["init", { entropy, timeNs: [1] }, /timeNs/u],
    ["init", { entropy, timeNs: [1, 1_000_000_000] }, /timeNs/u],
    ["init", { entropy, hostname: "x".repeat(65) }, /hostname/u],
    ["init", { entropy, machineId: "00" }, /machineId/u],
    ["init", { entropy, machineId: "0123456789ABCDEF0123456789ABCDEF" }, /machineId/u],
    ["init", { entropy, env: { a: 1 } }, /env/u],
    ["init", { entropy, network: [] }, /network/u],
    ...wrongNetworks.map(([wrong, message]): [string, object, RegExp] => [
      "init",
      { entropy, network: wrong },
      message,
    ]),
  ];
}
