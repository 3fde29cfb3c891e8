import type { Sandbox, SpawnOptions, Timings } from "@virga/sandbox";
import { EXIT } from "../exit-code.ts";
import { terminalSize } from "./guest-terminal.ts";
import { runProcess } from "./run-process.ts";
import type { CommandSettings } from "./run-settings.ts";
import { TimeLimit } from "./time-limit.ts";

/** A command to run in a sandbox. */
export interface CommandRun {
  readonly sandbox: Sandbox;
  readonly settings: CommandSettings;
  /** Whether standard input is passed on. */
  readonly stdin: boolean;
  readonly signal: AbortSignal;
  readonly timings?: Timings;
}

/** Runs a command in a sandbox, joined to our own streams, and gives the exit code. */
export async function runCommand(run: CommandRun): Promise<number> {
  const { sandbox, settings, stdin, timings } = run;
  const { timeoutMs, terminal } = settings;
  const command = settings.command.length > 0 ? settings.command : sandbox.imageCommand;
  using limit = new TimeLimit(timeoutMs, run.signal);
  const measure = <T>(step: string, work: () => Promise<T>): Promise<T> =>
    timings === undefined ? work() : timings.measure(step, work);
  const options = { ...spawnOptions(settings), stdin, signal: limit.signal };
  try {
    const guest = await measure("exec", () => sandbox.spawn(command, options).started);
    limit.start();
    return await measure("command", () => runProcess(guest, { stdin, terminal }));
  } catch (error) {
    if (limit.isOver) return EXIT.timeLimit;
    throw await sandbox.explain(`run ${command[0] ?? ""}`, error);
  }
}

/** How a command is started. */
export function spawnOptions(settings: CommandSettings): SpawnOptions {
  const { env, workdir, user, timeoutMs, terminal } = settings;
  return {
    env,
    ...(workdir !== undefined && { cwd: workdir }),
    ...(user !== undefined && { user }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(terminal && { pty: { ...terminalSize(), term: process.env["TERM"] ?? "xterm" } }),
  };
}
