import type { Command } from "commander";
import { examples } from "../output/examples.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { wholeNumber } from "../run/parse-values.ts";
import type { ForkFlags } from "./fork.ts";
import type { GcFlags } from "./gc.ts";
import { SANDBOX } from "./sandbox-commands.ts";
import type { SnapshotCreateFlags } from "./snapshot/create.ts";

type Done = (exitCode: number) => void;

/** The commands that are one call each. */
const STATES = [
  [
    "pause",
    "stop a sandbox; it stays in memory",
    async () => (await import("./pause.ts")).pauseCommand,
  ],
  [
    "resume",
    "let a sandbox go on that was paused or suspended",
    async () => (await import("./resume.ts")).resumeCommand,
  ],
  [
    "suspend",
    "write a sandbox to disk and free its memory; it outlives a reboot",
    async () => (await import("./suspend.ts")).suspendCommand,
  ],
] as const;

/** Adds the commands that change what a sandbox is doing, keep it and multiply it; `done` is told each one's exit code. */
export function addLifeCommands(program: Command, done: Done): void {
  for (const [command, description, load] of STATES) {
    program
      .command(command)
      .description(description)
      .argument(...SANDBOX)
      .option("--json", "print one JSON object")
      .addHelpText("after", examples(`virga ${command} web`))
      .action(async (name: string, { json }: JsonFlag) => {
        const run = await load();
        done(await run(name, json === true));
      });
  }
  program
    .command("fork")
    .description("make sandboxes that go on from what this one is now, and print their ids")
    .argument(...SANDBOX)
    .option("--count <n>", "how many", wholeNumber(1, 1_000), 1)
    .option("--json", "print a JSON array")
    .addHelpText("after", examples("virga fork web", "virga fork web --count 3 --json"))
    .action(async (name: string, flags: ForkFlags) => {
      const { forkCommand } = await import("./fork.ts");
      done(await forkCommand(name, flags));
    });
  program
    .command("balloon")
    .description("take memory from a sandbox that was made with --balloon; 0 gives it back")
    .argument(...SANDBOX)
    .argument("<mib>", "how much is taken, in MiB", wholeNumber(0, 1_048_576))
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("virga balloon web 256"))
    .action(async (name: string, mib: number, { json }: JsonFlag) => {
      const { balloonCommand } = await import("./balloon.ts");
      done(await balloonCommand(name, mib, json === true));
    });
  addSnapshotCommands(program, done);
  program
    .command("gc")
    .description("remove what nothing needs any more")
    .option("--dry-run", "only tell what that is")
    .option("--orphans", "also VMs, disks and snapshots that the catalogue does not know")
    .option("--verify", "also check what is kept against its hashes")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("virga gc --dry-run", "virga gc --verify"))
    .action(async (flags: GcFlags) => {
      const { gcCommand } = await import("./gc.ts");
      done(await gcCommand(flags));
    });
}

function addSnapshotCommands(program: Command, done: Done): void {
  const snapshot = program
    .command("snapshot")
    .description("keep what a sandbox is, list and remove what was kept")
    .addHelpText("after", examples("virga snapshot create web --name ready", "virga snapshot ls"));
  snapshot
    .command("create")
    .description("keep what a sandbox is now, and print the snapshot's id; the sandbox goes on")
    .argument(...SANDBOX)
    .option("--name <name>", "a label for it: a-z, 0-9 and -, unique")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples("virga snapshot create web --name ready && virga create --snapshot ready"),
    )
    .action(async (name: string, flags: SnapshotCreateFlags) => {
      const { snapshotCreate } = await import("./snapshot/create.ts");
      done(await snapshotCreate(name, flags));
    });
  snapshot
    .command("ls")
    .description("list snapshots")
    .option("--json", "print a JSON array")
    .addHelpText("after", examples("virga snapshot ls"))
    .action(async ({ json }: JsonFlag) => {
      const { snapshotLs } = await import("./snapshot/ls.ts");
      done(await snapshotLs(json === true));
    });
  snapshot
    .command("rm")
    .description("remove snapshots that nothing needs")
    .argument("<snapshot...>", "their names or ids")
    .option("--json", "print a JSON array")
    .addHelpText("after", examples("virga snapshot rm ready"))
    .action(async (names: readonly string[], { json }: JsonFlag) => {
      const { snapshotRm } = await import("./snapshot/rm.ts");
      done(await snapshotRm(names, json === true));
    });
}
