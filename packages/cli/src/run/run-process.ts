import { isatty } from "node:tty";
import type { Readable, Writable } from "node:stream";
import type { GuestExit, GuestProcess } from "@virga/guest";
import { pumpInput } from "@virga/sandbox";
import { EXIT, signalExitCode } from "../exit-code.ts";
import { forwardOutput } from "./forward-output.ts";
import { followSize } from "./guest-terminal.ts";
import { inputError } from "./input-error.ts";
import { enterRawMode } from "./raw-terminal.ts";

/** How a guest process is joined to our own streams. */
export interface RunProcessOptions {
  /** Whether it was started with standard input. */
  readonly stdin: boolean;
  /** Whether it was started with a terminal. */
  readonly terminal: boolean;
}

/** Joins a started guest process to our standard streams until it ends, and gives the exit code for how it ended. */
export async function runProcess(guest: GuestProcess, options: RunProcessOptions): Promise<number> {
  const undo: (() => void)[] = [];
  const early = Promise.withResolvers<"output-failed">();
  const forward = async (source: Readable, output: Writable): Promise<void> => {
    if ((await forwardOutput(source, output)) === "output-failed") early.resolve("output-failed");
  };
  try {
    if (options.terminal) undo.push(followSize(guest));
    if (options.stdin) {
      undo.push(() => void process.stdin.destroy());
      if (options.terminal && isatty(0)) undo.push(enterRawMode(process.stdin));
      pumpInput(process.stdin, guest).catch((error: unknown) => early.reject(inputError(error)));
    }
    const outputs = Promise.all([
      forward(guest.stdout, process.stdout),
      forward(guest.stderr, process.stderr),
    ]);
    const end = await Promise.race([outputs, early.promise]);
    return end === "output-failed" ? EXIT.brokenPipe : exitCodeFor(await guest.exited);
  } finally {
    for (const step of undo.toReversed()) step();
    await guest.close();
  }
}

function exitCodeFor(exit: GuestExit): number {
  if (exit.timedOut) return EXIT.timeLimit;
  return exit.signal === undefined ? exit.code : signalExitCode(exit.signal);
}
