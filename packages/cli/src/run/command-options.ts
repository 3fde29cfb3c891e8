import { Option } from "commander";
import type { Command } from "commander";
import { addVariable, guestDirectory, guestUser, secondsToMs } from "./parse-values.ts";
import type { CommandSettings } from "./run-settings.ts";

/** The options of {@link addCommandOptions}, as commander gives them. */
export interface CommandFlags {
  readonly env: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: string;
  readonly timeout?: number;
  readonly interactive?: true;
  readonly tty?: true;
}

/** Adds the options of commands that run a command: where, as whom, with what, how long. */
export function addCommandOptions(command: Command): Command {
  return command
    .addOption(envOption("set a variable; K alone takes its value here (repeatable)"))
    .option("-w, --workdir <dir>", "directory in which the command starts", guestDirectory)
    .option(
      "-u, --user <user>",
      "who the command runs as, by name or number in the image",
      guestUser,
    )
    .option("--timeout <s>", "end the command after so many seconds (exit code 124)", secondsToMs)
    .option("-i, --interactive", "pass standard input on also when it is a terminal")
    .option("-t, --tty", "give the command a terminal; Ctrl-C goes to it");
}

/** `--env`, of which the command line's own environment gives what has no value. */
export function envOption(description: string): Option {
  return new Option("-e, --env <k=v>", description)
    .argParser(addVariable(process.env))
    .default({}, "none");
}

/** What these options mean. */
export function commandSettings(command: readonly string[], flags: CommandFlags): CommandSettings {
  return {
    command,
    env: flags.env,
    workdir: flags.workdir,
    user: flags.user,
    timeoutMs: flags.timeout,
    interactive: flags.interactive === true,
    terminal: flags.tty === true,
  };
}
