import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { prerequisite, rejectsWithCode, useTemporaryDirectory } from "@virga/testkit";
import { claimDirectory, type ClaimOptions } from "./claim-directory.ts";
import { removeDirectory } from "./destroy-vm.ts";
import { hasVanished, vmLayout, type VmLayout } from "./directory.ts";
import { tryLock } from "./lock.ts";
import { silentLogger } from "./logger.ts";
import { recoverDirectory } from "./recover-directory.ts";
import { UndoStack } from "./undo.ts";

async function testLayout(t: TestContext): Promise<VmLayout> {
  return vmLayout(join(await useTemporaryDirectory(t), "vm"), "api.sock", false);
}

function claim(layout: VmLayout, options: Partial<ClaimOptions> & Pick<ClaimOptions, "undo">) {
  const patient = { timeoutMs: 60_000, signal: undefined, mayRemove: () => true };
  return claimDirectory(layout, { ...patient, ...options });
}

test("a claim waits for whoever removes what a dead process left", async (t) => {
  const layout = await testLayout(t);
  await mkdir(layout.directory);
  const recovery = tryLock(layout.lock);
  const undo = new UndoStack();
  const claimed = claim(layout, { undo });
  // Lets it find the lock taken; that it does is not needed.
  for (let i = 0; i < 20; i++) await readdir(layout.directory);
  await removeDirectory(layout.directory, layout.lock);
  recovery?.release();
  await claimed;
  assert.ok(existsSync(layout.lock));
  await undo.unwind(silentLogger);
  assert.equal(existsSync(layout.directory), false);
});

test("neither a claim nor a recovery loses when they meet", async (t) => {
  const layout = await testLayout(t);
  for (let round = 0; round < 40; round++) {
    const undo = new UndoStack();
    let isClaimed = false;
    const recover = async (): Promise<void> => {
      while (!isClaimed) {
        await recoverDirectory(layout.directory, silentLogger).catch((error: unknown) => {
          if (!hasVanished(error)) throw error;
        });
      }
    };
    const claimed = claim(layout, { undo }).finally(() => {
      isClaimed = true;
    });
    await Promise.all([claimed, recover(), recover()]);
    assert.ok(existsSync(layout.lock), `round ${round}`);
    await undo.unwind(silentLogger);
    assert.equal(existsSync(layout.directory), false, `round ${round}`);
  }
});

test("a directory that somebody keeps is taken, at once where it has a record", async (t) => {
  const layout = await testLayout(t);
  await mkdir(layout.directory);
  const lock = tryLock(layout.lock);
  const undo = new UndoStack();
  await rejectsWithCode(claim(layout, { undo, timeoutMs: 20 }), "VM_EXISTS");
  const abort = new AbortController();
  const waiting = rejectsWithCode(claim(layout, { undo, signal: abort.signal }), "ABORTED");
  abort.abort(new Error("no patience"));
  await waiting;
  await writeFile(layout.record, "{}");
  await rejectsWithCode(claim(layout, { undo }), "VM_NOT_OURS");
  lock?.release();
  await undo.unwind(silentLogger);
  assert.ok(existsSync(layout.record));
});

const notRoot = process.geteuid?.() === 0 ? undefined : "only root can give directories away";

test(
  "a directory of somebody else is refused and not touched",
  { skip: prerequisite("root", notRoot) },
  async (t) => {
    const layout = await testLayout(t);
    await mkdir(layout.directory, { mode: 0o755 });
    await chown(layout.directory, 4321, 4321);
    const undo = new UndoStack();
    await rejectsWithCode(claim(layout, { undo }), "INVALID_CONFIG", /belongs to user 4321/);
    await undo.unwind(silentLogger);
    assert.deepEqual(await readdir(layout.directory), []);
  },
);
