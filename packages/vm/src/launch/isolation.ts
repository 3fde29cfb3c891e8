import { mkdir } from "node:fs/promises";
import { FIXED_VM_PATH } from "../directory.ts";
import { errorText } from "../errors.ts";
import { spawnHeld } from "./launcher.ts";
import { watchChild } from "./vmm-process.ts";

/** Whether VMMs can have a mount and a network namespace of their own here. */
export interface Isolation {
  readonly isolated: boolean;
  /** Why, or why not, in one sentence. */
  readonly reason: string;
}

const TRIAL_MS = 5_000;

/** Finds out by a trial launch: being uid 0 says little inside a container. Whatever happens to this process, nothing of the trial is left. */
export async function probeIsolation(launcher: string, timeoutMs = TRIAL_MS): Promise<Isolation> {
  if (process.getuid?.() !== 0) return { isolated: false, reason: "not running as root" };
  try {
    await mkdir(FIXED_VM_PATH, { recursive: true, mode: 0o700 });
    const held = await spawnHeld({
      launcher,
      argv: [launcher, "--version"],
      logPath: "/dev/null",
      networkNamespace: "new",
      mountNamespace: true,
      binds: [{ source: FIXED_VM_PATH, target: FIXED_VM_PATH, readonly: false }],
      rlimits: {},
      diesWithParent: true,
    });
    const trial = watchChild(held.child, held.identity);
    trial.keepAlive(true);
    try {
      await held.go(timeoutMs);
    } catch (error) {
      trial.signal("SIGKILL");
      throw error;
    } finally {
      await trial.exited;
    }
    return { isolated: true, reason: "a trial launch got namespaces of its own" };
  } catch (error) {
    return { isolated: false, reason: errorText(error) };
  }
}
