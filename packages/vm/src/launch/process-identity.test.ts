import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import test from "node:test";
import { identifyProcess, isSameProcess } from "./process-identity.ts";

test("a process is itself as long as it lives", async () => {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  await once(child, "spawn");
  const identity = identifyProcess(child.pid ?? 0);
  assert.ok(identity);
  assert.ok(isSameProcess(identity));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(isSameProcess(identity), false);
});

test("same number, other start, boot or namespace: another process", () => {
  const me = identifyProcess(process.pid);
  assert.ok(me);
  assert.ok(isSameProcess(me));
  assert.equal(isSameProcess({ ...me, startTime: "1" }), false);
  assert.equal(isSameProcess({ ...me, bootId: "x" }), false);
  assert.equal(isSameProcess({ ...me, pidNamespace: "pid:[1]" }), false);
});

test("a zombie is nobody", async (t) => {
  // A program that has a dead child and does not wait for it: the child ends only once its parent is no longer the shell, which would.
  const script = "exec 3<&0; (read line <&3) & echo $!; exec sleep 1000";
  const parent = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"] });
  t.after(() => parent.kill("SIGKILL"));
  const [data] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(data.toString());
  await until(() => readFileSync(`/proc/${parent.pid}/comm`, "utf8") === "sleep\n");
  assert.ok(identifyProcess(pid));
  parent.stdin.end();
  await until(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "));
  assert.equal(identifyProcess(pid), undefined);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
