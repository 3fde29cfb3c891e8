import { VirgaError, errorText } from "@virga/vm";
import { printError } from "./print.ts";

/** Exit code of Virga's own failures, as of `docker run` and `env`. */
const OWN_FAILURE = 125;
const INTERRUPTED = 130;

/** Prints an error and what to do about it, and gives the exit code. */
export function reportError(error: unknown): number {
  printError(`virga: ${errorText(error)}`);
  if (!(error instanceof VirgaError)) return OWN_FAILURE;
  if (error.hint !== undefined) printError(`virga: ${error.hint}`);
  return error.code === "ABORTED" ? INTERRUPTED : OWN_FAILURE;
}
