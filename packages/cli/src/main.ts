import { printError, printLine } from "./output/print.ts";
import { VERSION } from "./version.ts";

const usage = "usage: virga --version";

function main(args: readonly string[]): number {
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
    printLine(VERSION);
    return 0;
  }
  if (args.length === 1 && (args[0] === "--help" || args[0] === "-h")) {
    printLine(usage);
    return 0;
  }
  printError(args.length === 0 ? usage : `virga: unknown command or option "${args[0]}"; ${usage}`);
  return 2;
}

process.exitCode = main(process.argv.slice(2));
