import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import type { TestContext } from "node:test";
import { closeKeptLock } from "./kept-locks.ts";
import { acquireLock, tryLock } from "./lock.ts";
import type { HeldLock } from "./lock.ts";

async function lockFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "virga-lock-"));
  t.after(() => rm(directory, { recursive: true }));
  return join(directory, "lock.db");
}

/** Exit code of a process that tries for the lock: 1 when it is refused. */
async function lockElsewhere(path: string): Promise<number | null> {
  const script = `const { tryLock } = await import(${JSON.stringify(new URL("lock.ts", import.meta.url).href)});
    process.exit(tryLock(${JSON.stringify(path)}) === undefined ? 1 : 0);`;
  const args = ["--conditions=virga-source", "--input-type=module", "-e", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

/** Makes the lock file anew. */
async function again(path: string): Promise<string> {
  await writeFile(path, "");
  return path;
}

test("a lock has one holder", async (t) => {
  const path = await lockFile(t);
  const first = tryLock(path);
  assert.ok(first);
  assert.equal(tryLock(path), undefined);
  first.release();
  first.release();
  const second = tryLock(path);
  assert.ok(second);
  second.release();
});

test("a shared lock has many holders, and stands against an exclusive one", async (t) => {
  const path = await lockFile(t);
  const [first, second] = [tryLock(path, "shared"), tryLock(path, "shared")];
  assert.ok(first && second);
  assert.equal(tryLock(path), undefined);
  first.release();
  assert.equal(tryLock(path), undefined);
  second.release();
  const exclusive = tryLock(path);
  assert.ok(exclusive);
  assert.equal(tryLock(path, "shared"), undefined);
  exclusive.release();
});

test("waiting ends with the release, the deadline, or the signal", async (t) => {
  const path = await lockFile(t);
  const held = tryLock(path);
  assert.ok(held);
  await assert.rejects(acquireLock(path, { timeoutMs: 20, what: 'VM "a"' }), { code: "VM_BUSY" });
  const controller = new AbortController();
  const aborted = acquireLock(path, { timeoutMs: 60_000, what: "it", signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { code: "ABORTED" });
  const waiting = acquireLock(path, { timeoutMs: 60_000, what: "it" });
  held.release();
  (await waiting).release();
});

test("a lock in a directory that is gone is the lock of a destroyed VM", async (t) => {
  const path = await lockFile(t);
  await assert.rejects(
    acquireLock(join(path, "..", "gone", "lock.db"), { timeoutMs: 20, what: "it" }),
    { code: "VM_DESTROYED" },
  );
});

test("a lock on a file that was removed meanwhile does not count", async (t) => {
  const path = await lockFile(t);
  const destroyer = tryLock(path);
  assert.ok(destroyer);
  // It may be refused as soon as the file is gone.
  const refused = assert.rejects(acquireLock(path, { timeoutMs: 60_000, what: "it" }), {
    code: "VM_DESTROYED",
  });
  await rm(path);
  destroyer.release();
  await refused;
  assert.equal(existsSync(path), false, "waiting makes no file");
});

test("a lock on a file that another one replaced is no lock of that one", async (t) => {
  const path = await lockFile(t);
  const destroyer = tryLock(path);
  assert.ok(destroyer);
  // What a waiter that opened the file before has in hand when it goes away and comes again.
  const exec = t.mock.method(DatabaseSync.prototype, "exec");
  let owner: HeldLock | undefined;
  exec.mock.mockImplementationOnce(function (this: DatabaseSync, sql: string) {
    rmSync(path);
    destroyer.release();
    owner = tryLock(path);
    this.exec(sql);
  });
  assert.equal(tryLock(path), undefined);
  assert.ok(owner);
  owner.release();
});

test("a file that is kept open holds no lock, and serves the next one", async (t) => {
  const path = await lockFile(t);
  tryLock(path)?.release();
  const opened = t.mock.method(DatabaseSync.prototype, "close");
  const first = await acquireLock(path, { timeoutMs: 0, what: "it", keep: true });
  assert.equal(tryLock(path), undefined);
  opened.mock.resetCalls();
  first.release();
  assert.equal(opened.mock.callCount(), 0);
  // As another process sees it: SQLite keeps apart what this one has open.
  assert.equal(await lockElsewhere(path), 0);
  const second = await acquireLock(path, { timeoutMs: 0, what: "it", keep: true });
  assert.equal(await lockElsewhere(path), 1);
  second.release();
  assert.equal(opened.mock.callCount(), 0);
  closeKeptLock(path);
  assert.equal(opened.mock.callCount(), 1);
});

test("a file that is kept open is not taken for another one that replaced it", async (t) => {
  const path = await lockFile(t);
  tryLock(path)?.release();
  (await acquireLock(path, { timeoutMs: 0, what: "it", keep: true })).release();
  rmSync(path);
  await assert.rejects(acquireLock(path, { timeoutMs: 0, what: "it", keep: true }), {
    code: "VM_DESTROYED",
  });
  (await acquireLock(await again(path), { timeoutMs: 0, what: "it", keep: true })).release();
  rmSync(path);
  const owner = tryLock(path);
  assert.ok(owner);
  await assert.rejects(acquireLock(path, { timeoutMs: 0, what: "it", keep: true }), {
    code: "VM_BUSY",
  });
  owner.release();
});

test("few files are kept open", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "virga-lock-"));
  t.after(() => rm(directory, { recursive: true }));
  const paths = Array.from({ length: 20 }, (_, index) => join(directory, `lock${index}.db`));
  for (const path of paths) {
    tryLock(path)?.release();
    (await acquireLock(path, { timeoutMs: 0, what: "it", keep: true })).release();
  }
  const open = readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  });
  assert.equal(open.length, 4);
  for (const path of paths) closeKeptLock(path);
});

test("the lock of a killed process is free, and its children do not keep it", async (t) => {
  const path = await lockFile(t);
  const script = `const { tryLock } = await import(${JSON.stringify(new URL("lock.ts", import.meta.url).href)});
    if (tryLock(${JSON.stringify(path)}) === undefined) process.exit(1);
    const { spawn } = await import("node:child_process");
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    process.stdout.write(String(child.pid) + "\\n");
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [data] = (await once(holder.stdout, "data")) as [Buffer];
  const child = Number(data.toString());
  t.after(() => process.kill(child, "SIGKILL"));
  assert.equal(tryLock(path), undefined);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  const lock = await acquireLock(path, { timeoutMs: 10_000, what: "it" });
  lock.release();
});

test("a lock is held until its release, also when nobody refers to it", async (t) => {
  const path = await lockFile(t);
  const script = `const { tryLock } = await import(${JSON.stringify(new URL("lock.ts", import.meta.url).href)});
    if (tryLock(${JSON.stringify(path)}) === undefined) process.exit(1);
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    process.exit(tryLock(${JSON.stringify(path)}) === undefined ? 0 : 2);`;
  const args = ["--expose-gc", "--conditions=virga-source", "--input-type=module", "-e", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
