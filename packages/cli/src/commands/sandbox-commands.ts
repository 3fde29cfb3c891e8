import { Option } from "commander";
import type { Command } from "commander";
import { examples } from "../output/examples.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { addCommandOptions, envOption } from "../run/command-options.ts";
import type { CommandFlags } from "../run/command-options.ts";
import { guestDirectory, guestUser } from "../run/parse-values.ts";
import { addShapeOptions } from "../run/sandbox-options.ts";
import type { CreateFlags } from "./create.ts";
import type { ExecFlags } from "./exec.ts";
import type { LsFlags } from "./ls.ts";
import type { RmFlags } from "./rm.ts";

/** What a sandbox is named by. */
export const SANDBOX = ["<sandbox>", "its name, its id, or the beginning of its id"] as const;

/** Adds the commands that make, use and remove sandboxes; `done` is told each one's exit code. Each is loaded when it is run. */
export function addSandboxCommands(program: Command, done: (exitCode: number) => void): void {
  addCreate(program, done);
  addExec(program, done);
  program
    .command("shell")
    .description("open a shell in a sandbox: bash where it has it, else sh")
    .argument(...SANDBOX)
    .addOption(envOption("set a variable; K alone takes its value here (repeatable)"))
    .option("-w, --workdir <dir>", "directory in which it starts", guestDirectory)
    .option("-u, --user <user>", "who it runs as, by name or number in the image", guestUser)
    .addHelpText("after", examples("virga shell web", "virga shell -u root web"))
    .action(async (name: string, flags: CommandFlags) => {
      const { shellCommand } = await import("./shell.ts");
      done(await shellCommand(name, flags));
    });
  program
    .command("ls")
    .description("list sandboxes")
    .option("--json", "print a JSON array")
    .addOption(new Option("-q, --quiet", "print ids only").conflicts("json"))
    .addHelpText(
      "after",
      examples("virga ls", "virga ls --json | jq '.[] | select(.state == \"running\").name'"),
    )
    .action(async (flags: LsFlags) => {
      const { lsCommand } = await import("./ls.ts");
      done(await lsCommand(flags));
    });
  program
    .command("info")
    .description("tell all that is known of a sandbox")
    .argument(...SANDBOX)
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("virga info web", "virga info web --json | jq .timings"))
    .action(async (name: string, { json }: JsonFlag) => {
      const { infoCommand } = await import("./info.ts");
      done(await infoCommand(name, json === true));
    });
  program
    .command("rm")
    .description("destroy sandboxes, whatever their state")
    .argument("[sandbox...]", "their names or ids")
    .option("--all", "all of them; asks first")
    .option("--yes", "do not ask")
    .option("--json", "print a JSON array")
    .addHelpText("after", examples("virga rm web", "virga rm --all --yes"))
    .action(async (names: readonly string[], flags: RmFlags) => {
      const { rmCommand } = await import("./rm.ts");
      done(await rmCommand(names, flags));
    });
}

function addCreate(program: Command, done: (exitCode: number) => void): void {
  const create = program
    .command("create")
    .description("make a sandbox that stays until it is removed, and print its id")
    .option("--name <name>", "a label for it: a-z, 0-9 and -, unique")
    .option("--snapshot <snapshot>", "go on from a snapshot, by its name or id");
  addShapeOptions(create)
    .addOption(
      envOption("set a variable for its commands; K alone takes its value here (repeatable)"),
    )
    .option("--balloon", "let memory be taken from it while it runs: virga balloon")
    .option("--warm <script>", "run this in sh once, in its template: what it touched is there")
    .option("--warm-keep", "keep the processes that it leaves, for every sandbox of the kind")
    .option("--cold", "boot it instead of restoring a template")
    .option("--verbose", "tell on stderr what is done")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "virga create",
        "virga create --name web --image debian --memory 1024",
        "virga create --image debian --warm 'python3 -c 1'",
        "virga create --snapshot ready --json | jq -r .id",
      ),
    )
    .action(async (flags: CreateFlags) => {
      const { createCommand } = await import("./create.ts");
      done(await createCommand(flags));
    });
}

function addExec(program: Command, done: (exitCode: number) => void): void {
  const exec = program
    .command("exec")
    .description("run a command in a sandbox")
    .usage("[options] SANDBOX [--] COMMAND [ARG…]")
    .argument(...SANDBOX)
    .argument("<command...>", "program in the sandbox, and its arguments");
  addCommandOptions(exec)
    .addOption(
      new Option("-d, --detach", "let it go on by itself, and print its process id").conflicts([
        "interactive",
        "tty",
      ]),
    )
    .option("--json", "with -d: print one JSON object")
    .passThroughOptions()
    .addHelpText(
      "after",
      examples(
        "virga exec web -- ls -l",
        "virga exec -it web python3",
        "virga exec -d -w /srv web -- python3 -m http.server",
        "tar -c . | virga exec web -- tar -x -C /srv",
      ),
    )
    .action(async (name: string, words: readonly string[], flags: ExecFlags) => {
      const { execCommand } = await import("./exec.ts");
      // What follows the sandbox is not looked at, the -- that may be there included.
      done(await execCommand(name, words[0] === "--" ? words.slice(1) : words, flags));
    });
}
