import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { tryLock } from "@virga/vm";
import { homePaths } from "./home.ts";
import { lockSandbox, sandboxPaths, tryLockSandbox } from "./sandbox-lock.ts";

test("one at a time works on a sandbox, and nobody on one that is gone", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const home = homePaths({ env: { VIRGA_HOME: directory }, uid: 0, userHome: "/" });
  const paths = sandboxPaths(home, "one");
  assert.equal(paths.directory, join(directory, "sandboxes/one"));
  assert.equal(paths.suspended(2), join(directory, "sandboxes/one/suspended-2"));
  assert.equal(await tryLockSandbox(home, "one"), undefined);
  await assert.rejects(lockSandbox(home, "one"), {
    code: "VM_DESTROYED",
    message: 'Cannot use sandbox "one": it was destroyed',
  });
  await mkdir(paths.directory, { recursive: true });
  tryLock(paths.lock)?.release();

  const held = await lockSandbox(home, "one");
  assert.equal(await tryLockSandbox(home, "one"), undefined);
  await assert.rejects(lockSandbox(home, "one", { timeoutMs: 0 }), {
    code: "VM_BUSY",
    message: new RegExp(`^Cannot use sandbox "one": .*process ${process.pid} `, "u"),
  });
  const signal = AbortSignal.abort();
  await assert.rejects(lockSandbox(home, "one", { signal }), { code: "ABORTED" });
  held.release();
  const again = await tryLockSandbox(home, "one");
  assert.ok(again);
  const waiting = assert.rejects(lockSandbox(home, "one"), { code: "VM_DESTROYED" });
  await rm(paths.directory, { recursive: true });
  again.release();
  await waiting;
});
