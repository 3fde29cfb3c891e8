import childProcess from "node:child_process";
import fs from "node:fs";
import promises from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Call = (...values: unknown[]) => unknown;

const SYNC = ["mkdirSync", "openSync", "renameSync", "rmSync", "writeFileSync", "writeSync"];
const ASYNC = ["copyFile", "mkdir", "open", "rename", "rm", "rmdir", "symlink", "writeFile"];
const OF_HANDLE = ["chmod", "datasync", "sync", "truncate", "write", "writeFile"];

/**
 * From now on, calls `before` ahead of each call by which this process may change a file or a directory, or begins a program. Of one that comes many times
 * only the first, the second, the fourth and so on: a guest's pages are thousands.
 */
export async function beforeFileChanges(before: () => void): Promise<void> {
  const file = await promises.open(process.execPath, "r");
  const handle = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  intercept(fs, SYNC, before);
  intercept(promises, ASYNC, before);
  intercept(handle, OF_HANDLE, before);
  intercept(childProcess, ["spawn"], before);
  // Also for those who imported the functions by name.
  syncBuiltinESMExports();
}

function intercept(target: object, names: readonly string[], before: () => void): void {
  for (const name of names) {
    const original = Reflect.get(target, name) as Call;
    let count = 0;
    Reflect.set(target, name, function intercepted(this: unknown, ...values: unknown[]) {
      if (Number.isInteger(Math.log2(++count))) before();
      return original.apply(this, values);
    });
  }
}
