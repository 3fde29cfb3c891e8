import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { identifyProcess } from "./process-identity.ts";
import { watchProcess } from "./vmm-process.ts";

test("a watch that is stopped still tells of a process that has ended", async (t) => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  const identity = identifyProcess(child.pid ?? 0);
  assert.ok(identity !== undefined);
  const vmm = watchProcess(identity);
  const gone = once(child, "exit");
  vmm.signal("SIGKILL");
  await gone;
  vmm.unwatch();
  assert.deepEqual(await vmm.exited, { code: null, signal: null });
});
