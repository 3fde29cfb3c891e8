import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

/** Finds out by a trial launch: being uid 0 says little inside a container. */
export async function probeIsolation(launcher: string): Promise<Isolation> {
  if (process.getuid?.() !== 0) return { isolated: false, reason: "not running as root" };
  const directory = await mkdtemp(join(tmpdir(), "virga-isolation-"));
  try {
    await mkdir(FIXED_VM_PATH, { recursive: true, mode: 0o700 });
    const held = await spawnHeld({
      launcher,
      argv: [launcher, "--version"],
      logPath: join(directory, "log"),
      networkNamespace: "new",
      mountNamespace: true,
      binds: [{ source: directory, target: FIXED_VM_PATH, readonly: false }],
      rlimits: {},
    });
    const process = watchChild(held.child, held.identity);
    process.keepAlive(true);
    await held.go(TRIAL_MS);
    await process.exited;
    return { isolated: true, reason: "a trial launch got namespaces of its own" };
  } catch (error) {
    return { isolated: false, reason: errorText(error) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
