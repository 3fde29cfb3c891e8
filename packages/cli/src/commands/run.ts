import { Command, InvalidArgumentError, Option } from "commander";
import { addCommandOptions, commandSettings } from "../run/command-options.ts";
import type { CommandFlags } from "../run/command-options.ts";
import { addCopy } from "../run/parse-values.ts";
import type { CopyPair } from "../run/parse-values.ts";
import type { RunSettings } from "../run/run-settings.ts";
import { DEFAULT_SHAPE, addShapeOptions } from "../run/sandbox-options.ts";
import type { ShapeFlags } from "../run/sandbox-options.ts";

interface RunFlags extends ShapeFlags, CommandFlags {
  readonly copy: readonly CopyPair[];
  readonly cold?: true;
  readonly timings?: string;
  readonly verbose?: true;
}

/** Tells how the command line ends. */
export type RunCommandLine = (settings: RunSettings) => Promise<void>;

/** `virga run`, and what to do with what it was asked for. */
export function runCommand(run: RunCommandLine): Command {
  const command = new RunParser("run")
    .description("run a command in a fresh microVM that is gone afterwards")
    .usage("[options] [--] [COMMAND [ARG…]]")
    .argument(
      "[command...]",
      "program in the sandbox, and its arguments; default: the image's own",
    );
  addShapeOptions(command);
  return addCommandOptions(command)
    .addOption(
      new Option(
        "--copy <src:dest>",
        "copy a file or directory into the sandbox first (repeatable)",
      )
        .argParser(addCopy)
        .default([], "none"),
    )
    .option("--cold", "boot the sandbox instead of restoring a template")
    .addOption(
      new Option(
        "--timings [file]",
        "milliseconds per step as JSON, last on stderr or in FILE",
      ).argParser(timingsFile),
    )
    .option("--verbose", "tell on stderr what is done")
    .passThroughOptions()
    .addHelpText("after", HELP)
    .action((words: readonly string[], flags: RunFlags) => run(settingsOf(words, flags)));
}

const HELP = `
Standard input is passed on when it is not a terminal, or with -i. Standard output, standard error and
the exit code are the command's own. Exit codes of Virga: 2 usage, 124 time limit, 125 Virga failed,
126 the command cannot be run, 127 it was not found, 128+n it died of signal n.

Examples:
  virga run -- uname -a
  virga run --timeout 10 -- sh -c 'echo hello; exit 3'
  head -c 1000000 /dev/urandom | virga run -- sha256sum
  virga run --copy ./project:/work --workdir /work -- ls -l
  virga run -it -- sh`;

function settingsOf(command: readonly string[], flags: RunFlags): RunSettings {
  const { image, hypervisor, vcpus, memory, network } = { ...DEFAULT_SHAPE, ...flags };
  return {
    ...commandSettings(command, flags),
    image,
    hypervisor,
    vcpus,
    memoryMib: memory,
    diskMib: flags.disk,
    network,
    copies: flags.copy,
    cold: flags.cold === true,
    timings: flags.timings,
    verbose: flags.verbose === true,
  };
}

// A value of `--timings` is given by `=` only. Commander would take the next word too, which is the command.
const STDERR = "";

class RunParser extends Command {
  override parseOptions(args: string[]): ReturnType<Command["parseOptions"]> {
    return super.parseOptions(bindTimings(this, args));
  }
}

function bindTimings(command: Command, args: readonly string[]): string[] {
  const bound = [...args];
  for (let index = 0; index < bound.length; index++) {
    const word = bound[index] ?? "";
    // From here on it is the command to run.
    if (word === "--" || !word.startsWith("-")) break;
    if (word === "--timings") bound[index] = `--timings=${STDERR}`;
    if (takesNextWord(command, word)) index++;
  }
  return bound;
}

/** Whether the value of an option is the word after it: of `--env`, `-e` and, with flags before it, `-ie`, but not of `-eK=V`. */
function takesNextWord({ options }: Command, word: string): boolean {
  if (word.startsWith("--")) {
    return options.some(({ long, required }) => required && word === long);
  }
  const letters = word.slice(1);
  const takesValue = (letter: string): boolean =>
    options.some(({ short, required }) => required && short === `-${letter}`);
  const first = letters.split("").findIndex(takesValue);
  return first >= 0 && first === letters.length - 1;
}

function timingsFile(text: string): string {
  if (text.includes("\0")) throw new InvalidArgumentError("It must be the name of a file.");
  return text;
}
