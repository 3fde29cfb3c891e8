import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { AgentClient } from "../src/agent-client.ts";
import type { ExecOptions } from "../src/exec-request.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { guestError } from "./error-matchers.ts";
import { rootSkip } from "./root-skip.ts";

async function output(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  await using agents = await AgentProcesses.of("agent");
  await using client = new AgentClient({ connect: agents.connect });
  const child = await client.exec(argv, options);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return stdout + stderr;
}

const facts = 'echo "$(id -un):$(id -G):$HOME:$USER:$LOGNAME"; echo pipe > /dev/stdout; pwd';

test(
  "a user by name has its groups, home and names, and its streams",
  { skip: rootSkip },
  async () => {
    const groups = await output(["id", "-G", "daemon"]);
    assert.equal(
      await output(["sh", "-c", facts], { user: "daemon" }),
      `daemon:${groups.trim()}:/usr/sbin:daemon:daemon\npipe\n/\n`,
    );
    // It is nobody's file but the agent's.
    assert.match(
      await output(["cat", "/proc/1/environ"], { user: "daemon" }),
      /Permission denied/u,
    );
  },
);

test("a user by number, with or without an entry", { skip: rootSkip }, async () => {
  assert.match(await output(["sh", "-c", facts], { user: 1 }), /^daemon:1:\/usr\/sbin:daemon/u);
  const script = 'id -u; id -G; echo "$HOME/$USER"';
  assert.equal(await output(["sh", "-c", script], { user: 54_321 }), "54321\n54321\n//\n");
  assert.equal(await output(["id", "-u"], { user: "0" }), "0\n");
});

test("a group that is named is the user's only one", { skip: rootSkip }, async () => {
  const script = 'id -u; id -G; echo "$HOME/$USER"';
  const as = (user: string): Promise<string> => output(["sh", "-c", script], { user });
  assert.equal(await as("daemon:tty"), "1\n5\n/usr/sbin/daemon\n");
  assert.equal(await as("1:54321"), "1\n54321\n/usr/sbin/daemon\n");
  assert.equal(await as("54321:5"), "54321\n5\n//\n");
  for (const user of ["daemon:no-such-group", "daemon:", "daemon:tty:tty", "no-such-user:tty"]) {
    const text = new RegExp(`"${user}": there is no such user or group`, "u");
    await assert.rejects(as(user), guestError("GUEST_NOT_FOUND", text));
  }
});

test("what the caller names wins over the user's variables", { skip: rootSkip }, async () => {
  const env = { HOME: "/elsewhere" };
  const script = 'echo "$HOME:$USER"';
  assert.equal(await output(["sh", "-c", script], { user: "daemon", env }), "/elsewhere:daemon\n");
  const bare = { user: "daemon", env, inheritEnv: false };
  assert.equal(await output(["/usr/bin/env"], bare), "HOME=/elsewhere\n");
});

test("a terminal belongs to the user", { skip: rootSkip }, async () => {
  const script = 'stat -c %U "$(tty)"; echo again > "$(tty)"';
  const options = { user: "daemon", pty: { rows: 1, cols: 2 } };
  assert.equal(await output(["sh", "-c", script], options), "daemon\r\nagain\r\n");
});

test("a user or directory that is not there is refused by name", { skip: rootSkip }, async (t) => {
  await assert.rejects(
    output(["true"], { user: "no-such-user" }),
    guestError("GUEST_NOT_FOUND", /"no-such-user": there is no such user or group/, {
      what: "user",
    }),
  );
  await assert.rejects(output(["true"], { user: "4294967295" }), guestError("GUEST_NOT_FOUND"));
  const closed = join(await useTemporaryDirectory(t), "closed");
  await mkdir(closed, { mode: 0o700 });
  await assert.rejects(
    output(["true"], { user: "daemon", cwd: closed }),
    guestError("GUEST_FAILED", /closed": Permission denied/, { what: "cwd", errno: 13 }),
  );
});

test(
  "a login shell is the user's, begins at home and reads its profile",
  { skip: rootSkip },
  async () => {
    assert.match(await output(["-c", "echo $0; pwd"], { login: true }), /^-[a-z]+\n\/root\n$/u);
    assert.equal(await output(["-c", "pwd"], { login: true, cwd: "/usr" }), "/usr\n");
    // A user whose shell is not one.
    assert.match(await output([], { login: true, user: "daemon" }), /not available/u);
  },
);

test("resource limits hold for the process and those it starts", async (t) => {
  const limits = { nofile: 33, core: [0, "unlimited"], fsize: [4_096, 8_192] } as const;
  const script = "ulimit -n; ulimit -Sc; sh -c 'ulimit -n'";
  assert.equal(await output(["sh", "-c", script], { limits }), "33\n0\n33\n");
  const script2 = await program(t, "head -c 100000 /dev/zero > file; echo $?; wc -c < file");
  const lines = (await output([script2], { limits, cwd: join(script2, "..") })).trim().split("\n");
  assert.ok(lines.includes("4096"), lines.join());
});

async function program(t: TestContext, script: string): Promise<string> {
  const path = join(await useTemporaryDirectory(t), "program");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}
