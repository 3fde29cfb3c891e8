import { VirgaError, isVirgaError } from "@virga/vm";
import type { RunResult } from "./run-options.ts";

/** Characters of what a command wrote that its error's sentence repeats. */
const MAX_QUOTED = 200;
/** Characters of the command itself. */
const MAX_COMMAND = 120;

/**
 * A command in a sandbox that ran and did not end well: an exit code other than 0, a signal, or its time limit. Its code is `COMMAND_FAILED`.
 *
 * ```ts
 * import { CommandError, Sandbox } from "virga";
 *
 * await using sandbox = await Sandbox.create();
 * try {
 *   await sandbox.run(["sh", "-c", "echo no such luck >&2; exit 3"]);
 * } catch (error) {
 *   if (!(error instanceof CommandError)) throw error;
 *   console.log(error.exitCode, error.stderr);
 * }
 * ```
 */
export class CommandError extends VirgaError implements RunResult {
  readonly command: readonly string[];
  readonly exitCode: number;
  readonly signal: number | undefined;
  readonly timedOut: boolean;
  /** What was collected of its standard output: "" where somebody else read it. */
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: readonly string[], result: RunResult) {
    const { exitCode, signal, timedOut, stdout, stderr } = result;
    super("COMMAND_FAILED", sentence(command, result), {
      details: { command, exitCode, signal, timedOut },
    });
    this.name = "CommandError";
    this.command = command;
    this.exitCode = exitCode;
    this.signal = signal;
    this.timedOut = timedOut;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isVirgaError(value) && value.code === "COMMAND_FAILED";
  }
}

function sentence(command: readonly string[], result: RunResult): string {
  const typed = oneLine(command.join(" "));
  const cut = typed.length > MAX_COMMAND ? `${typed.slice(0, MAX_COMMAND)}…` : typed;
  const last = oneLine(result.stderr.trimEnd().split("\n").at(-1) ?? "").slice(0, MAX_QUOTED);
  return `The command failed: ${cut} ${howItEnded(result)}${last === "" ? "" : `: ${last}`}`;
}

function howItEnded({ exitCode, signal, timedOut }: RunResult): string {
  if (timedOut) return "was ended by its time limit";
  return signal === undefined
    ? `ended with exit code ${exitCode}`
    : `was ended by signal ${signal}`;
}

/** What a guest wrote must neither drive a terminal nor break the sentence into lines. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ").trim();
}
