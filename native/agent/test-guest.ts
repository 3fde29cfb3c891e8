// What the tests of the agent as PID 1 look at in a guest.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentClient, GuestProcess } from "@virga/guest";

/** What a script says. */
export async function sh(client: AgentClient, script: string): Promise<string> {
  await using process = await client.exec(["sh", "-c", script]);
  const [, stdout, stderr] = await Promise.all([
    process.exited,
    text(process.stdout),
    text(process.stderr),
  ]);
  return stdout + stderr;
}

/** Starts a script that has said something when this resolves. */
export async function startScript(client: AgentClient, script: string): Promise<GuestProcess> {
  const process = await client.exec(["sh", "-c", script], { stdin: true });
  await once(process.stdout, "data");
  return process;
}

/** What programs expect of a machine is there, and can be used. */
export async function testMounts(client: AgentClient): Promise<void> {
  const types = new Map(
    (await client.files.readText("/proc/mounts"))
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([, path = "", type = ""]) => [path, type]),
  );
  const expected = {
    "/proc": "proc",
    "/sys": "sysfs",
    "/dev": "devtmpfs",
    "/dev/pts": "devpts",
    "/dev/shm": "tmpfs",
    "/sys/fs/cgroup": "cgroup2",
    "/run": "tmpfs",
  };
  const found = Object.fromEntries(Object.keys(expected).map((path) => [path, types.get(path)]));
  assert.deepEqual(found, expected);
  const modes = "stat -c '%a %n' /tmp /dev/shm /run";
  assert.equal(await sh(client, modes), "1777 /tmp\n1777 /dev/shm\n755 /run\n");
  assert.match(await client.files.readText("/etc/hosts"), /^127\.0\.0\.1\s+localhost$/mu);
  // The loopback is up: a server on it is reached.
  const serve = await startScript(client, "nc -l -p 4444 -e echo served & echo; wait");
  while (!(await client.ports()).some(({ port }) => port === 4_444)) await sleep(10);
  assert.equal(await text(await client.tunnel(4_444)), "served\n");
  await serve.exited;
}

/** The guest's own busybox may lack tar: it is not asked. */
export async function testTrees({ files }: AgentClient, scratch: string): Promise<void> {
  const source = join(scratch, "copied");
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "sub/large"), Buffer.alloc(1_000_000, "large"), { mode: 0o600 });
  symlinkSync("sub/large", join(source, "link"));
  const sent = await files.upload(source, "/tmp/tree", { owner: "1000:1000" });
  const status = await files.stat("/tmp/tree/link", { user: 1_000 });
  assert.deepEqual([status.size, status.mode, status.uid], [1_000_000, 0o600, 1_000]);
  const back = join(scratch, "back");
  assert.deepEqual(await files.download("/tmp/tree", back), sent);
  assert.equal(readlinkSync(join(back, "link")), "sub/large");
  assert.ok(readFileSync(join(back, "link")).equals(readFileSync(join(source, "sub/large"))));
}

/** Open files, terminals and watches stand still and go on; a program with them is attached to again. */
export async function testFrozen(client: AgentClient): Promise<void> {
  await client.files.mkdir("/tmp/watched");
  await using watch = await client.files.watch("/tmp/watched");
  const events = watch[Symbol.asyncIterator]();
  const script =
    "exec 3> /tmp/watched/open; echo ready; while read line; do echo $line >&3; echo got $line; done";
  const writer = await client.exec(["sh", "-c", script], { stdin: true, tag: "writer" });
  await once(writer.stdout, "data");
  const terminal = await client.exec(["sh"], { pty: { rows: 5, cols: 70 }, tag: "terminal" });
  assert.deepEqual((await events.next()).value, { event: "created", path: "open" });
  await client.prepare();
  // What is written while all stands still comes through afterwards, and not before.
  writer.stdin.write("frozen\n");
  terminal.stdin.write("stty size; echo $((40+2))\n");
  await client.thaw();
  const [answer] = (await once(writer.stdout, "data")) as [Buffer];
  assert.equal(String(answer), "got frozen\n");
  assert.deepEqual((await events.next()).value, { event: "modified", path: "open" });
  let shown = "";
  for await (const piece of terminal.stdout.iterator({ destroyOnReturn: false })) {
    shown += String(piece);
    if (/5 70\r\n42\r\n/u.test(shown)) break;
  }
  assert.equal(await client.files.readText("/tmp/watched/open"), "frozen\n");
  // Another host of the same machine, which is what a parent's or a clone's next process is.
  await client.prepare();
  const left = Promise.all([assert.rejects(writer.exited), assert.rejects(terminal.exited)]);
  await Promise.all([writer.close(), terminal.close()]);
  await client.thaw();
  await left;
  const again = await client.attach({ tag: "writer" });
  again.stdin.end("thawed\n");
  assert.match(await text(again.stdout), /got thawed\n$/u);
  assert.equal((await again.exited).code, 0);
  const shell = await client.attach({ tag: "terminal" });
  shell.stdin.write("exit 7\n");
  shell.stdout.resume();
  assert.equal((await shell.exited).code, 7);
  assert.equal(await client.files.readText("/tmp/watched/open"), "frozen\nthawed\n");
}
