import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
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
  // A shell that has a dead child and does not wait for it.
  const parent = spawn("sh", ["-c", "true & echo $!; exec sleep 1000"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => parent.kill("SIGKILL"));
  const [data] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(data.toString());
  const { readFileSync } = await import("node:fs");
  while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "))
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(identifyProcess(pid), undefined);
});
