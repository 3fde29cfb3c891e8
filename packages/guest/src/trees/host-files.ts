import { GuestError } from "../errors.ts";

/** A path of this machine as bytes; names below it hold one byte a character. */
export function hostPathOf(root: string, name: string): Buffer {
  if (name === "") return Buffer.from(root);
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, "latin1")]);
}

/** Does something with a file of this machine; what the system refuses is `HOST_NOT_FOUND` or `HOST_FAILED`. */
export async function onHost<Result>(
  what: string,
  path: string | Buffer,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw hostError(what, path, error);
  }
}

/** Why something could not be done with a file of this machine. An error that is none of the system's is given back. */
export function hostError(what: string, path: string | Buffer, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (cause instanceof GuestError || code === undefined) return cause;
  const name = path.toString();
  const why = (cause as Error).message.replace(/, .*$/s, "");
  return new GuestError(
    code === "ENOENT" ? "HOST_NOT_FOUND" : "HOST_FAILED",
    `Cannot ${what} ${JSON.stringify(name)}: ${why}`,
    { cause, details: { path: name } },
  );
}
