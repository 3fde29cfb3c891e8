import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { reportError } from "../output/report-error.ts";
import type { CommandFlags } from "../run/command-options.ts";
import { commandSettings } from "../run/command-options.ts";
import { runCommand, spawnOptions } from "../run/run-command.ts";
import { StopSignals } from "../run/stop-signals.ts";
import { wantsStdin } from "../run/wants-stdin.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** Options of `virga exec`. */
export interface ExecFlags extends CommandFlags, JsonFlag {
  readonly detach?: true;
}

/** `virga exec`: runs a command in a sandbox that is there, joined to our own streams, or lets it go on by itself. */
export async function execCommand(
  name: string,
  command: readonly string[],
  flags: ExecFlags,
): Promise<number> {
  const settings = commandSettings(command, flags);
  if (flags.detach === true) {
    const options = { ...spawnOptions(settings), stdin: false, detach: true };
    const pid = await useSandbox(name, async (sandbox) => {
      await using guest = await sandbox.spawn(command, options).started;
      return guest.pid;
    });
    if (flags.json === true) printJson({ pid });
    else printLine(String(pid));
    return 0;
  }
  using stop = new StopSignals();
  let exitCode: number;
  try {
    const stdin = wantsStdin(settings.interactive);
    const { signal } = stop;
    exitCode = await useSandbox(name, (sandbox) =>
      runCommand({ sandbox, settings, stdin, signal }),
    );
  } catch (error) {
    // Somebody who asks us to stop knows why we do.
    exitCode = stop.exitCode ?? reportError(error);
  }
  return stop.end(exitCode);
}
