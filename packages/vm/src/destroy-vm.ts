import { open, readdir, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { isVmFile } from "./directory.ts";
import { VirgaError, errnoOf, errorText, isVirgaError } from "./errors.ts";
import { removeIntents } from "./intent.ts";
import { stopProcess } from "./launch/stop-process.ts";
import type { LockHolder } from "./lock-holder.ts";
import { acquireLock, tryLock } from "./lock.ts";
import type { HeldLock } from "./lock.ts";
import type { Machine } from "./machine.ts";
import { readRecord } from "./record.ts";
import { Operation } from "./steps.ts";

/**
 * Ends a VM and removes everything of it. Best effort like the seed's: a failing step is logged and the next one runs. An aborted signal shortens the
 * graces. Rejects with `DESTROY_FAILED` when something that runs could not be ended, or the lock not be taken: then the VM stays listed as failed.
 */
export async function destroyMachine(machine: Machine, signal: AbortSignal): Promise<void> {
  const { layout, config } = machine.context;
  const { logger } = machine;
  const operation = new Operation(machine.id, "destroy", logger, undefined);
  const busy = machine.isBusy;
  await tolerate(machine, operation, "mark", async () => {
    if ((await occupantOf(machine)) === "this") await markDestroying(layout.destroying);
  });
  machine.preempt();
  if (machine.state !== "stopped") machine.setState("stopping");
  const stop = async (): Promise<void> => {
    await stopProcess(machine.process, {
      // A VMM that is in a call would answer only after it.
      ask: busy
        ? undefined
        : (abort) => machine.control.quit({ timeoutMs: config.timeouts.shutdownMs, signal: abort }),
      shutdownMs: config.timeouts.shutdownMs,
      terminateMs: config.timeouts.terminateMs,
      signal,
      logger,
    });
  };
  try {
    await operation.step("stop", stop);
    machine.control.close();
    const lock = await operation.step("lock", () => lockForRemoval(machine));
    await operation.step("stop again", stop);
    machine.process.unwatch();
    // Reaped, and told of with the last lines of a log that is about to go. This may be all that the program still waits for.
    machine.process.keepAlive(true);
    await machine.exited;
    // Without the lock, or when the id is in use again, nothing there is this VM's.
    if (lock !== undefined && (await occupantOf(machine)) !== "another") {
      await tolerate(machine, operation, "intents", () => removeIntents(layout.intent));
      await tolerate(machine, operation, "remove", () =>
        removeDirectory(layout.directory, layout.lock),
      );
    }
    lock?.release();
    machine.setState("stopped");
  } catch (error) {
    machine.setState("failed");
    throw error;
  }
}

/**
 * Whose record lies in the VM's directory. Another process may have destroyed this VM, and made one of the same id since; a record that cannot be read
 * is a damaged one of this VM.
 */
async function occupantOf({ context, record }: Machine): Promise<"this" | "another" | "nobody"> {
  try {
    const found = await readRecord(context.layout.record);
    if (found === undefined) return "nobody";
    return found.uuid === record.uuid ? "this" : "another";
  } catch {
    return "this";
  }
}

async function tolerate(
  machine: Machine,
  operation: Operation,
  step: string,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await operation.step(step, run);
  } catch (error) {
    machine.logger.warn(
      { vm: machine.id, step, error: errorText(error) },
      "a step of destroy failed; going on",
    );
  }
}

/** From here on no other process begins an operation on this VM, and running ones undo theirs. */
async function markDestroying(path: string): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    await file.close();
  } catch (error) {
    if (errnoOf(error) !== "EEXIST" && errnoOf(error) !== "ENOENT") throw error;
  }
}

async function lockForRemoval(machine: Machine): Promise<HeldLock | undefined> {
  const path = machine.context.layout.lock;
  const { lockMs } = machine.context.config.timeouts;
  try {
    return await acquireLock(path, { timeoutMs: lockMs, what: `VM "${machine.id}"` });
  } catch (error) {
    if (!isVirgaError(error) || error.code !== "VM_DESTROYED") throw lockError(error, path, lockMs);
    machine.logger.debug({ vm: machine.id, error: errorText(error) }, "the VM's lock is gone");
    // Usually with the directory: another destroyer was here.
    return (await occupantOf(machine)) === "this" ? tryLock(path) : undefined;
  }
}

function lockError(cause: unknown, path: string, lockMs: number): VirgaError {
  const busy = isVirgaError(cause) && cause.code === "VM_BUSY";
  const holder = busy ? (cause.details["holder"] as LockHolder | undefined) : undefined;
  const by = holder === undefined ? "another process" : `process ${holder.pid} (${holder.command})`;
  const which = holder === undefined ? "that process" : `process ${holder.pid}`;
  return new VirgaError(
    "DESTROY_FAILED",
    busy ? `its lock has been held for ${lockMs} ms by ${by}` : errorText(cause),
    {
      cause,
      details: { path, ...(holder !== undefined && { holder }) },
      hint: busy
        ? `End ${which} (is it stopped?), then destroy the VM again.`
        : "Nothing of it runs any more; its directory is still there. Destroy the VM again.",
    },
  );
}

/**
 * Removes a VM's directory, the lock file last: while it is there, nobody else can claim the directory. What is not ours stays, and the directory with it:
 * the files of somebody else, or of whoever claimed it as soon as the lock was gone.
 */
export async function removeDirectory(directory: string, lockFile: string): Promise<void> {
  try {
    const names = (await readdir(directory)).filter((name) => isVmFile(name));
    const isLock = (name: string): boolean => name.startsWith(basename(lockFile));
    for (const name of [...names.filter((name) => !isLock(name)), ...names.filter(isLock)])
      await rm(join(directory, name), { recursive: true, force: true });
    await rmdir(directory);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTEMPTY") throw error;
  }
}
