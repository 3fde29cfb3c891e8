import { open } from "node:fs/promises";
import { VirgaError, errorText } from "@virga/vm";
import type { Timings } from "@virga/sandbox";
import { printError } from "../output/print.ts";

/** Writes step → milliseconds as one line of JSON. */
export type WriteTimings = (timings: Timings) => Promise<void>;

/**
 * Opens the place where timings go, `file` or standard error where it is "", before anything is run: a file that cannot be written must not be found out
 * afterwards. It is emptied at once. `IO_ERROR` here and when writing fails.
 */
export async function openTimings(file: string): Promise<WriteTimings> {
  if (file === "") return async (timings) => printError(JSON.stringify(timings));
  const handle = await open(file, "w").catch((error: unknown) => {
    throw failure(file, error);
  });
  return async (timings) => {
    try {
      await handle.writeFile(`${JSON.stringify(timings)}\n`);
    } catch (error) {
      throw failure(file, error);
    } finally {
      await handle.close();
    }
  };
}

function failure(file: string, cause: unknown): VirgaError {
  return new VirgaError("IO_ERROR", `Cannot write the timings to ${file}: ${errorText(cause)}`, {
    cause,
  });
}
