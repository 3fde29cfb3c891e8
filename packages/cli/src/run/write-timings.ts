import { writeFile } from "node:fs/promises";
import type { Timings } from "@virga/sandbox";
import { EXIT } from "../exit-code.ts";
import { printError } from "../output/print.ts";

/** Writes step → milliseconds as one line of JSON: to `file`, or to standard error where it is "". Gives an exit code when that fails. */
export async function writeTimings(timings: Timings, file: string): Promise<number | undefined> {
  const line = JSON.stringify(timings);
  if (file === "") {
    printError(line);
    return undefined;
  }
  try {
    await writeFile(file, `${line}\n`);
    return undefined;
  } catch (error) {
    printError(`virga: Cannot write the timings to ${file}: ${String(error)}`);
    return EXIT.failure;
  }
}
