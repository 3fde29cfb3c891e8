import type { Readable, Writable } from "node:stream";
import type { GuestProcess } from "@virga/guest";
import type { ProcessEnd, SpawnOptions } from "./run-options.ts";
import type { SandboxProcess } from "./sandbox-process.ts";

/** Starts bash where the image has it, else sh. */
export const SHELL: readonly string[] = [
  "sh",
  "-c",
  "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi",
];

/** Size of a terminal, in characters. */
export interface TerminalColumnsRows {
  readonly columns: number;
  readonly rows: number;
}

/** How to start a command on a terminal. */
export interface TerminalOptions
  extends
    Partial<TerminalColumnsRows>,
    Omit<SpawnOptions, "maxOutputBytes" | "pty" | "reject" | "stdin"> {
  /** What runs on it. Default: bash where the image has it, else sh. */
  readonly command?: readonly string[];
  /** Value of TERM. Default `xterm-256color`. */
  readonly term?: string;
}

/**
 * A command on a terminal in a sandbox.
 *
 * ```ts
 * import { Sandbox } from "virga";
 *
 * await using sandbox = await Sandbox.create();
 * await using terminal = await sandbox.terminal({ columns: 100, rows: 30 });
 * terminal.output.pipe(process.stdout);
 * terminal.input.write("stty size; exit\n");
 * console.log((await terminal.wait()).exitCode);
 * ```
 */
export class SandboxTerminal implements AsyncDisposable {
  /** Process id in the guest of what runs on it. */
  readonly pid: number;
  /** The keyboard. */
  readonly input: Writable;
  /** The screen. */
  readonly output: Readable;
  readonly #process: SandboxProcess;
  readonly #guest: GuestProcess;

  /** @internal */
  constructor(process: SandboxProcess, guest: GuestProcess) {
    this.#process = process;
    this.#guest = guest;
    this.pid = guest.pid;
    this.input = process.stdin;
    this.output = process.stdout;
    // A terminal has one output.
    guest.stderr.resume();
  }

  /** Sets its size. Nothing happens when what ran on it has ended. */
  async resize({ columns, rows }: TerminalColumnsRows): Promise<void> {
    await this.#guest.resize({ rows, cols: columns });
  }

  /** Waits for the end of what runs on it. */
  async wait(): Promise<ProcessEnd> {
    return this.#process.wait();
  }

  /** Sends a signal, by default SIGHUP, to the process group. Keys such as Ctrl-C are written to `input`. */
  async kill(signal: string | number = "SIGHUP"): Promise<void> {
    await this.#guest.kill(signal);
  }

  /** Ends what runs on it, unless it was started with `detach`. */
  async close(): Promise<void> {
    await this.#guest.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
