import { getSystemErrorMessage } from "node:util";
import { constants } from "node:os";
import { GuestError, isGuestError } from "@virga/guest";
import type { ExecOptions } from "@virga/guest";
import { DEFAULT_GUEST_PATH } from "../images/image.ts";

/** What was to be started. */
export interface StartAttempt {
  readonly command: readonly string[];
  readonly options: Pick<ExecOptions, "cwd" | "env" | "inheritEnv">;
  /** Environment of every command of this sandbox. */
  readonly env: Readonly<Record<string, string>>;
}

/** Says of a command that the guest did not start what is wrong with it, in words of its user; other errors are given back. The code stays. */
export function explainStart(error: unknown, attempt: StartAttempt): unknown {
  if (!isGuestError(error) || error.details.op !== "exec") return error;
  const { what, errno = 0 } = error.details;
  if (what !== "cwd" && what !== "program") return error;
  const why = what === "cwd" ? aboutDirectory(errno, attempt) : aboutProgram(errno, error, attempt);
  const message = `Cannot run ${attempt.command[0] ?? ""}: ${why}`;
  return new GuestError(error.code, message, { cause: error, details: error.details });
}

function aboutDirectory(errno: number, { options }: StartAttempt): string {
  const { cwd = "" } = options;
  const directory = typeof cwd === "string" ? cwd : Buffer.from(cwd).toString("utf8");
  if (errno === constants.errno.ENOENT) return `there is no directory ${directory} in the guest`;
  return `the directory ${directory} in the guest cannot be entered: ${systemText(errno)}`;
}

function aboutProgram(
  errno: number,
  error: GuestError,
  { command, options, env }: StartAttempt,
): string {
  if (error.code === "GUEST_NOT_FOUND") {
    if (command[0]?.includes("/") === true) return "there is no such file in the guest";
    const inherited = options.inheritEnv === false ? undefined : env["PATH"];
    const fallback = options.inheritEnv === false ? "not set" : DEFAULT_GUEST_PATH;
    const path = options.env?.["PATH"] ?? inherited ?? fallback;
    return `not found in the guest (PATH is ${path})`;
  }
  // The file itself is there: what is not is the program that its first line, or its header, names.
  if (errno === constants.errno.ENOENT) return "the interpreter it names is not in the guest";
  return `the guest cannot run it: ${systemText(errno)}`;
}

// The numbers are Linux's on both sides.
function systemText(errno: number): string {
  return errno === 0 ? "unknown error" : (getSystemErrorMessage(-errno) ?? `error ${errno}`);
}
