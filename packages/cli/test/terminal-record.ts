import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const helper = fileURLToPath(new URL("terminal-record.py", import.meta.url));

/** What came to be on a terminal, and how the command on it ended. */
export interface TerminalRecord {
  readonly seen: string;
  readonly code: number;
}

/** How to run a command on a terminal. */
export interface TerminalOptions {
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Keys that are typed once a text is there. */
  readonly answer?: { readonly when: string; readonly keys: string };
}

/** Runs a command on a terminal of its own, to its end. */
export function recordTerminal(
  argv: readonly string[],
  { env = process.env, answer }: TerminalOptions = {},
): TerminalRecord {
  const typed = answer === undefined ? [] : ["--when", answer.when, answer.keys];
  const words = [helper, ...typed, ...argv];
  const end = spawnSync("python3", words, { encoding: "utf8", env });
  assert.equal(end.status, 0, end.stderr);
  return JSON.parse(end.stdout) as TerminalRecord;
}
