import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { tryLock } from "./lock.ts";
import { lockHolder, pidsHolding } from "./lock-holder.ts";

const LOCKS = `1: OFDLCK ADVISORY  READ -1 fe:00:42 201 201
2: POSIX  ADVISORY  WRITE 1772 fe:00:42 0 EOF
2: -> POSIX  ADVISORY  WRITE 99 fe:00:42 0 EOF
3: POSIX  ADVISORY  READ 1871 00:1f:42 1073741826 1073742335
4: POSIX  ADVISORY  WRITE 1871 00:1f:42 0 EOF
5: POSIX  ADVISORY  WRITE 0 fe:00:42 0 EOF
6: FLOCK  ADVISORY  WRITE 7 fe:00:42 0 EOF
7: POSIX  ADVISORY  WRITE 8 fe:00:142 0 EOF
`;

test("who holds an inode is read from the kernel's list, who waits for it is not", () => {
  assert.deepEqual(pidsHolding(LOCKS, 42n), [1772, 1871]);
  assert.deepEqual(pidsHolding(LOCKS, 2n), []);
  assert.deepEqual(pidsHolding("", 42n), []);
});

test("the holder of a lock file is found while it is held", async (t) => {
  const path = join(await useTemporaryDirectory(t), "lock.db");
  assert.equal(lockHolder(path), undefined);
  const lock = tryLock(path);
  assert.ok(lock !== undefined);
  const holder = lockHolder(path);
  lock.release();
  assert.deepEqual(holder, { pid: process.pid, command: basename(process.execPath) });
  assert.equal(lockHolder(path), undefined);
  const other = join(path, "..", "other");
  writeFileSync(other, "");
  assert.equal(lockHolder(other), undefined);
});
