import { printLine } from "./output/print.ts";
import { VERSION } from "./version.ts";

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  // Not worth loading a parser.
  printLine(VERSION);
} else {
  const { runProgram } = await import("./program.ts");
  process.exitCode = await runProgram(args);
}
