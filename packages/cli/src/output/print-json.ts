import { printLine } from "./print.ts";

/** Of every command that can print for programs. */
export interface JsonFlag {
  readonly json?: true;
}

/** Prints a value for programs. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, undefined, 2));
}
