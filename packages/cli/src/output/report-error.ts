import { exitCodeOf } from "../exit-code.ts";
import { printError } from "./print.ts";
import { printable } from "./printable.ts";

/**
 * Prints an error for people, one sentence and what to do about it, and gives the exit code. Of a hypervisor that did not start, also the last line of its log:
 * only that says why. With `verbose`, also what caused the error and the end of the log.
 */
export function reportError(error: unknown, options: { readonly verbose?: boolean } = {}): number {
  printError(`virga: ${describe(error)}`);
  if (error instanceof Error) {
    if ("hint" in error && typeof error.hint === "string") printError(`virga: ${error.hint}`);
    if (options.verbose === true) printBackground(error);
    else printLastLine(error);
  }
  return exitCodeOf(error);
}

function printBackground(error: Error): void {
  for (let { cause } = error; cause instanceof Error; { cause } = cause) {
    printError(`virga: because: ${describe(cause)}`);
  }
  const { logTail } = startDetails(error);
  if (logTail === "") return;
  printError(`virga: the end of the hypervisor's log:\n${printable(logTail)}`);
}

function printLastLine(error: Error): void {
  const { logTail, step } = startDetails(error);
  const last = logTail.split("\n").at(-1)?.trim() ?? "";
  if (step && last !== "") printError(`virga: The hypervisor's log ends: ${printable(last)}`);
}

/** What an error of a hypervisor tells beside its sentence: the end of its log, and whether a step of its start failed. */
function startDetails(error: Error): { readonly logTail: string; readonly step: boolean } {
  const details: unknown = "details" in error ? error.details : undefined;
  const { logTail, step } = (details ?? {}) as { logTail?: unknown; step?: unknown };
  return {
    logTail: typeof logTail === "string" ? logTail.trimEnd() : "",
    step: typeof step === "string",
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error));
  // An error without a code is a fault in Virga: where it happened is what helps.
  return printable("code" in error ? error.message : (error.stack ?? error.message));
}
