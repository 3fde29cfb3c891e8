import { printLine } from "./print.ts";

/** Prints a value for programs. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, undefined, 2));
}
