import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { VirgaError } from "@virga/vm";

/** Whether standard input is passed on: when it is not a terminal, or when asked for. `IO_ERROR` for one that cannot be read; Node would take it for empty. */
export function wantsStdin(interactive: boolean): boolean {
  if (isatty(0)) return interactive;
  if (fstatSync(0).isDirectory()) {
    throw new VirgaError("IO_ERROR", "Cannot read standard input: it is a directory");
  }
  return true;
}
