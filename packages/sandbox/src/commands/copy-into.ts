import { access, constants, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { isGuestError } from "@virga/guest";
import type { GuestErrorCode, GuestFiles } from "@virga/guest";
import { VirgaError, errnoOf, errorText } from "@virga/vm";

/** What is copied from where to where. */
export interface CopyRequest {
  /** File or directory on this machine. */
  readonly source: string;
  /**
   * Absolute path in the guest. A directory's content goes into the directory of this name; a file gets this name, or goes into it when it is a directory or
   * ends with `/`. Missing directories are made.
   */
  readonly destination: string;
}

/** Errors of a copy that say nothing of its files: they stay as they are. */
const OTHER_ERRORS: ReadonlySet<GuestErrorCode> = new Set([
  "ABORTED",
  "GUEST_BUSY",
  "GUEST_CONNECTION_LOST",
  "GUEST_PROTOCOL",
  "GUEST_TIMEOUT",
]);

/** Checks a request before anything is started. `INVALID_ARGUMENT` says what is wrong with it, `NOT_FOUND` that the source is not there. */
export async function checkCopy(request: CopyRequest): Promise<void> {
  const { source, destination } = request;
  if (!isAbsolute(destination) || destination.includes("\0")) {
    throw invalid(
      request,
      `the destination ${JSON.stringify(destination)} is not an absolute path`,
    );
  }
  try {
    const found = await stat(source);
    const isFile = found.isFile();
    if (!isFile && !found.isDirectory()) {
      throw invalid(request, "the source is neither a file nor a directory");
    }
    await access(source, isFile ? constants.R_OK : constants.R_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof VirgaError) throw error;
    const missing = errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
    if (!missing) throw invalid(request, errorText(error), error);
    throw new VirgaError("NOT_FOUND", `Cannot copy ${source}: it does not exist`, {
      cause: error,
      details: { source },
    });
  }
}

/** Copies a file or a directory tree into a guest. Symbolic links in a tree stay links; everything belongs to root. `IO_ERROR` when either side refuses. */
export async function copyInto(
  files: Pick<GuestFiles, "upload">,
  copy: CopyRequest,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await files.upload(copy.source, copy.destination, { ...(signal && { signal }) });
  } catch (error) {
    if (!isGuestError(error) || OTHER_ERRORS.has(error.code)) throw error;
    throw new VirgaError(
      "IO_ERROR",
      `Cannot copy ${copy.source} to ${copy.destination} in the sandbox: ${error.message}`,
      { details: { ...copy }, cause: error },
    );
  }
}

function invalid(request: CopyRequest, why: string, cause?: unknown): VirgaError {
  return new VirgaError("INVALID_ARGUMENT", `Cannot copy ${request.source}: ${why}`, {
    details: { ...request },
    cause,
  });
}
