import { printError, printLine } from "./output/print.ts";
import { VERSION } from "./version.ts";

/** 128 + SIGPIPE. */
const BROKEN_PIPE = 141;
/** Virga itself failed. */
const FAILURE = 125;

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  // Not worth loading a parser.
  printLine(VERSION);
} else {
  const { runProgram } = await import("./program.ts");
  let outputExitCode: number | undefined;
  const onError = (error: NodeJS.ErrnoException): void => {
    // A reader that goes away ends us as it ends other programs: without a word, as SIGPIPE would.
    if (error.code === "EPIPE") outputExitCode ??= BROKEN_PIPE;
    else if (outputExitCode === undefined) {
      outputExitCode = FAILURE;
      // Not thrown: a command that runs must clean up first. On a full standard error this fails too, and changes nothing.
      printError(`virga: Cannot write the output: ${error.message}`);
    }
    process.exitCode = outputExitCode;
  };
  process.stdout.on("error", onError);
  process.stderr.on("error", onError);
  const exitCode = await runProgram(args);
  process.exitCode = outputExitCode ?? exitCode;
}
