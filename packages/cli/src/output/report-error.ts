import { exitCodeOf } from "../exit-code.ts";
import { printError } from "./print.ts";
import { printable } from "./printable.ts";

/**
 * Prints an error for people, one sentence and what to do about it, and gives the exit code. With `verbose`, also what caused it and the end of the
 * hypervisor's log.
 */
export function reportError(error: unknown, options: { readonly verbose?: boolean } = {}): number {
  printError(`virga: ${describe(error)}`);
  if (error instanceof Error) {
    if ("hint" in error && typeof error.hint === "string") printError(`virga: ${error.hint}`);
    if (options.verbose === true) printBackground(error);
  }
  return exitCodeOf(error);
}

function printBackground(error: Error): void {
  for (let { cause } = error; cause instanceof Error; { cause } = cause) {
    printError(`virga: because: ${describe(cause)}`);
  }
  const details = "details" in error ? (error.details as { logTail?: unknown } | undefined) : {};
  if (typeof details?.logTail !== "string" || details.logTail === "") return;
  printError(`virga: the end of the hypervisor's log:\n${printable(details.logTail.trimEnd())}`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error));
  // An error without a code is a fault in Virga: where it happened is what helps.
  return printable("code" in error ? error.message : (error.stack ?? error.message));
}
