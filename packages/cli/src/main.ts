import { printLine } from "./output/print.ts";
import { VERSION } from "./version.ts";

/** 128 + SIGPIPE. */
const BROKEN_PIPE = 141;

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  // Not worth loading a parser.
  printLine(VERSION);
} else {
  const { runProgram } = await import("./program.ts");
  // A reader that goes away ends us as it ends other programs: without a word, as SIGPIPE would.
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
    process.exitCode = BROKEN_PIPE;
  };
  process.stdout.on("error", onError);
  process.stderr.on("error", onError);
  process.exitCode = await runProgram(args);
}
