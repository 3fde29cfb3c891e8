import { Command, CommanderError, Option } from "commander";
import type { DoctorCommandOptions } from "./commands/doctor.ts";
import type { SetupCommandOptions } from "./commands/setup.ts";
import { addImageCommands } from "./commands/image.ts";
import { addLifeCommands } from "./commands/life-commands.ts";
import { addSandboxCommands } from "./commands/sandbox-commands.ts";
import { addUseCommands } from "./commands/use-commands.ts";
import { runCommand } from "./commands/run.ts";
import { EXIT } from "./exit-code.ts";
import { interruptExitCode } from "./interrupt.ts";
import { examples } from "./output/examples.ts";
import { reportError } from "./output/report-error.ts";
import { VERSION } from "./version.ts";

/** Runs the command line and gives its exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = makeProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Help and version end by an error too, with code 0; everything else commander finds is wrong usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    const code = reportError(error);
    return interruptExitCode(error) ?? code;
  }
}

/** The command line with all its commands; `done` is told the exit code of the one that ran. Each is loaded when it is run: process start is part of every command. */
export function makeProgram(done: (exitCode: number) => void): Command {
  const program = new Command("virga")
    .description("Run untrusted code in microVM sandboxes")
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    // Errors of usage look like all others.
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /u, "virga: ")),
    })
    .enablePositionalOptions()
    .addHelpText(
      "after",
      examples(
        "virga run -- uname -a",
        "virga create --name web && virga shell web",
        "virga doctor",
      ),
    );
  const run = runCommand(async (settings) => {
    const { runInSandbox } = await import("./run/run-in-sandbox.ts");
    done(await runInSandbox(settings));
  });
  program.addCommand(run.copyInheritedSettings(program));
  addSandboxCommands(program, done);
  addUseCommands(program, done);
  addLifeCommands(program, done);
  addImageCommands(program, done);
  program
    .command("setup")
    .description("make this machine able to run VMs; safe to repeat")
    .option("--dev", "also what the tests of Virga itself use")
    .option("--yes", "install packages without asking")
    .addOption(
      new Option(
        "--update",
        "also bring the guest kernel to the newest that the distribution has",
      ).conflicts(["kernel", "modules"]),
    )
    .option("--kernel <file>", "guest kernel, in place of the distribution's package")
    .option("--modules <dir>", "the kernel's lib/modules/RELEASE directory")
    .option("--busybox <file>", "static busybox for guests")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "sudo virga setup",
        "sudo virga setup --update",
        "virga setup --kernel bzImage --modules lib/modules/6.12.9 --busybox busybox",
      ),
    )
    .action(async (options: SetupCommandOptions) => {
      const { setupCommand } = await import("./commands/setup.ts");
      done(await setupCommand(options));
    });
  program
    .command("doctor")
    .description("say what this machine can run, and what to do about the rest")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("virga doctor", "virga doctor --json | jq .chosen"))
    .action(async (options: DoctorCommandOptions) => {
      const { doctorCommand } = await import("./commands/doctor.ts");
      done(await doctorCommand(options));
    });
  return program;
}
