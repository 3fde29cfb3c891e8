import { Option } from "commander";
import type { Command } from "commander";
import { examples } from "../output/examples.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { guestUser } from "../run/parse-values.ts";
import type { CpFlags } from "./cp.ts";
import type { LogsFlags } from "./logs.ts";
import { addPort } from "../sandboxes/port-pair.ts";
import type { PortPair } from "../sandboxes/port-pair.ts";
import { SANDBOX } from "./sandbox-commands.ts";

/** Adds the commands that look into a sandbox and move bytes; `done` is told each one's exit code. */
export function addUseCommands(program: Command, done: (exitCode: number) => void): void {
  program
    .command("cp")
    .description("copy a file or a directory into a sandbox or out of it")
    .usage("[options] SRC NAME:/DEST | NAME:/SRC DEST")
    .argument("<source>", "a path here, - for standard input, or NAME:/PATH in a sandbox")
    .argument("<destination>", "the other one of the two")
    .option("-u, --user <user>", "who reads and writes in the sandbox (default: root)", guestUser)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "virga cp ./project web:/srv",
        "virga cp web:/var/log ./log",
        "echo hello | virga cp - web:/srv/index.html",
        "virga cp web:/etc/passwd - | wc -l",
      ),
    )
    .action(async (source: string, destination: string, flags: CpFlags) => {
      const { cpCommand } = await import("./cp.ts");
      done(await cpCommand(source, destination, flags));
    });
  program
    .command("logs")
    .description("print what a sandbox's kernel and agent wrote to its console")
    .argument(...SANDBOX)
    .option("-f, --follow", "go on with what is added, until Ctrl-C")
    .option("--hypervisor", "what the hypervisor said instead")
    .addOption(
      new Option("--json", "print the end of both as one JSON object").conflicts([
        "follow",
        "hypervisor",
      ]),
    )
    .addHelpText("after", examples("virga logs web", "virga logs -f --hypervisor web"))
    .action(async (name: string, flags: LogsFlags) => {
      const { logsCommand } = await import("./logs.ts");
      done(await logsCommand(name, flags));
    });
  program
    .command("forward")
    .description("make ports of a sandbox reachable on 127.0.0.1, until Ctrl-C")
    .argument(...SANDBOX)
    .argument("<port...>", "PORT or LOCAL:PORT; 0:PORT takes a local one that is free", addPort)
    .option("--json", "print a JSON array when they can be reached")
    .addHelpText("after", examples("virga forward web 8080", "virga forward web 9000:80 0:5432"))
    .action(async (name: string, ports: readonly PortPair[], { json }: JsonFlag) => {
      const { forwardCommand } = await import("./forward.ts");
      done(await forwardCommand(name, ports, json === true));
    });
  program
    .command("stats")
    .description("tell how busy a sandbox is")
    .argument(...SANDBOX)
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("virga stats web", "virga stats web --json | jq .processes"))
    .action(async (name: string, { json }: JsonFlag) => {
      const { statsCommand } = await import("./stats.ts");
      done(await statsCommand(name, json === true));
    });
}
