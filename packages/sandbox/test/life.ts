import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sandbox } from "@virga/sandbox";

// A process that counts into a file it keeps open, and says on each count what it was told first.
const COUNT = `secret=$1; exec 4>>/srv/log; i=0; while :; do i=$((i+1)); echo "$secret $i" >&4; sleep 0.05; done`;

/** Runs a script as root and gives what it wrote. */
export async function say(sandbox: Sandbox, script: string): Promise<string> {
  return (await sandbox.run(["sh", "-c", script], { user: "root" })).stdout.trim();
}

/** Starts the process that counts. It lives as long as its guest. */
export async function startCounter(sandbox: Sandbox, secret: string): Promise<void> {
  await say(sandbox, ": > /srv/log");
  const options = { detach: true, stdin: false, user: "root", tag: "counter" };
  await sandbox.spawn(["sh", "-c", COUNT, "count", secret], options).started;
}

/** How far the process has counted. Fails when its log is not the whole one. */
export async function counted(sandbox: Sandbox, secret: string): Promise<number> {
  const lines = (await say(sandbox, "cat /srv/log")).split("\n").filter((line) => line !== "");
  for (const [index, line] of lines.entries()) assert.equal(line, `${secret} ${index + 1}`);
  return lines.length;
}

/** Waits until the process has counted on from `before`. The test's own limit bounds it. */
export async function countsOn(sandbox: Sandbox, secret: string, before: number): Promise<number> {
  for (;;) {
    const now = await counted(sandbox, secret);
    assert.ok(now >= before, "it has forgotten its count");
    if (now > before) return now;
    await sleep(20);
  }
}

/** What makes a machine itself. */
export async function identityIn(sandbox: Sandbox): Promise<readonly string[]> {
  const script = "cat /proc/sys/kernel/hostname /etc/machine-id; head -c16 /dev/urandom | md5sum";
  const lines = (await say(sandbox, script)).split("\n");
  assert.equal(lines.length, 3);
  return lines;
}
