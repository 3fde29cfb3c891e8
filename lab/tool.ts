import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findExecutable } from "./find-executable.ts";
import { LabError } from "./lab-error.ts";

const run = promisify(execFile);

/** Runs a program of the system and gives its output; a failure carries its words. */
export async function tool(
  name: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const path = findExecutable(name);
  if (path === undefined) throw new LabError(`Cannot find the program ${name}`);
  try {
    const { stdout } = await run(path, args, {
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.signal !== undefined && { signal: options.signal }),
      env: { ...process.env, LC_ALL: "C" },
      maxBuffer: 64 << 20,
    });
    return stdout;
  } catch (cause) {
    const words = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : "";
    throw new LabError(`${[name, ...args.slice(0, 4)].join(" ")} failed${words && `: ${words}`}`, {
      cause,
    });
  }
}
