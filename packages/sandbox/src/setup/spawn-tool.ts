import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";

/** How to start a program of the system. */
export interface SpawnToolOptions {
  readonly cwd?: string | undefined;
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** What each of its descriptors leads to. Default: pipes for the standard ones. */
  readonly stdio?: readonly ("ignore" | "pipe")[];
  /**
   * It goes on when this process is killed: for what must not stop half-way. Its error output comes with its standard output, and a program that is missing
   * ends with 127. Default false.
   */
  readonly outlives?: boolean;
}

/** A program of the system that was started. */
export interface Tool {
  readonly program: string;
  /** Its `error` says that it cannot be run, its `close` that it has ended, and with it all that it started. */
  readonly child: ChildProcess;
  /** Ends it, with all that it started. */
  readonly kill: () => void;
}

/**
 * Starts a program of the system, in a group of its own, which ends when the program does, or this process, SIGKILL included: what works on in a directory that
 * nobody owns any more meets whoever cleans up there. What leaves the group on purpose is not ended.
 *
 * A shell that becomes the program leaves a guard in the group, which waits for the end of a stream that this process alone holds. The signal that a process can
 * ask of the kernel for its parent's death would reach the program, not what that has started, and comes too late for a parent that is dead already. The
 * guard is nobody's child: a program that waits for all of its own must not wait for it.
 */
export function spawnTool(
  program: string,
  args: readonly string[],
  options: SpawnToolOptions = {},
): Tool {
  const { cwd, env = process.env, stdio = ["pipe", "pipe", "pipe"], outlives = false } = options;
  const script = outlives ? OUTLIVING : guarded(stdio.length);
  const child = spawn("/bin/sh", ["-c", script, "sh", program, ...args], {
    cwd,
    env,
    stdio: outlives ? [...stdio] : [...stdio, "pipe"],
    detached: true,
  });
  if (!outlives) watch(child, child.stdio[stdio.length] as Duplex | null | undefined, program);
  const kill = (): void => {
    // Of one that has ended the number may be another's, and its guard ends the rest.
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended just now.
    }
  };
  return { program, child, kill };
}

/** What the program says goes on being taken when nobody reads it any more: dpkg, and what it starts, would die of the first word. */
const OUTLIVING = `exec 4>&1
code=$({ { "$@" 3>&- 4>&-; echo "$?" >&3; } 2>&1 | /usr/bin/tee --output-error=warn-nopipe /dev/null >&4 3>&- 2>/dev/null; } 3>&1)
exit "$code"`;

/** The guard's stream is the shell's descriptor `fd`; the program does not get it. */
function guarded(fd: number): string {
  return `( ( read -r end; kill -KILL 0 ) <&${fd} >/dev/null 2>&1 & )
command -v -- "$1" >/dev/null || { echo missing >&${fd}; exit 127; }
exec "$@" ${fd}<&-`;
}

function watch(child: ChildProcess, guard: Duplex | null | undefined, program: string): void {
  // It breaks when the group is killed, with the guard in it.
  guard?.on("error", () => undefined);
  guard?.once("data", () => {
    const error = new Error(`spawn ${program} ENOENT`);
    child.emit("error", Object.assign(error, { code: "ENOENT" }));
  });
  child.once("exit", () => guard?.end());
}
