import { Command, InvalidArgumentError, Option } from "commander";
import type { NetworkChoice } from "@virga/sandbox";
import type { HypervisorName } from "@virga/vm";
import {
  addCopy,
  addVariable,
  guestDirectory,
  guestUser,
  secondsToMs,
  wholeNumber,
} from "../run/parse-values.ts";
import type { CopyPair } from "../run/parse-values.ts";
import type { RunSettings } from "../run/run-settings.ts";

interface RunFlags {
  readonly image: string;
  readonly hypervisor: HypervisorName | "auto";
  readonly vcpus: number;
  readonly memory: number;
  readonly disk?: number;
  readonly network: NetworkChoice;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: string;
  readonly timeout?: number;
  readonly copy: readonly CopyPair[];
  readonly interactive?: true;
  readonly tty?: true;
  readonly cold?: true;
  readonly timings?: string;
  readonly verbose?: true;
}

/** Tells how the command line ends. */
export type RunCommandLine = (settings: RunSettings) => Promise<void>;

/** `virga run`, and what to do with what it was asked for. */
export function runCommand(run: RunCommandLine): Command {
  return new RunParser("run")
    .description("run a command in a fresh microVM that is gone afterwards")
    .usage("[options] [--] [COMMAND [ARG…]]")
    .argument("[command...]", "program in the sandbox, and its arguments; default: the image's own")
    .option(
      "--image <name>",
      "what the sandbox holds: a name or digest, see virga image ls",
      "busybox",
    )
    .addOption(
      new Option("--hypervisor <name>", "what runs it")
        .choices(["auto", "cloud-hypervisor", "qemu"])
        .default("auto"),
    )
    .option("--vcpus <n>", "processors", wholeNumber(1, 255), 1)
    .option("--memory <mib>", "memory in MiB", wholeNumber(96, 1_048_576), 512)
    .option(
      "--disk <mib>",
      "disk of an image that has one, in MiB; takes what is written (default: 10240)",
      wholeNumber(64, 16_777_215),
    )
    .addOption(
      new Option("--network <what>", "what the sandbox can reach; see docs/network.md")
        .choices(["none", "internet"])
        .default("none"),
    )
    .addOption(
      new Option("-e, --env <k=v>", "set a variable; K alone takes its value here (repeatable)")
        .argParser(addVariable(process.env))
        .default({}, "none"),
    )
    .option("-w, --workdir <dir>", "directory in which the command starts", guestDirectory)
    .option(
      "-u, --user <user>",
      "who the command runs as, by name or number in the image",
      guestUser,
    )
    .option("--timeout <s>", "end the command after so many seconds (exit code 124)", secondsToMs)
    .addOption(
      new Option(
        "--copy <src:dest>",
        "copy a file or directory into the sandbox first (repeatable)",
      )
        .argParser(addCopy)
        .default([], "none"),
    )
    .option("-i, --interactive", "pass standard input on also when it is a terminal")
    .option("-t, --tty", "give the command a terminal; Ctrl-C goes to it")
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
    .action((command: readonly string[], flags: RunFlags) => run(settingsOf(command, flags)));
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
  return {
    command,
    image: flags.image,
    hypervisor: flags.hypervisor,
    vcpus: flags.vcpus,
    memoryMib: flags.memory,
    diskMib: flags.disk,
    network: flags.network,
    env: flags.env,
    workdir: flags.workdir,
    user: flags.user,
    timeoutMs: flags.timeout,
    copies: flags.copy,
    interactive: flags.interactive === true,
    terminal: flags.tty === true,
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
