/** Every code an error of Virga's host side can carry. Codes are never reused; `docs/errors.md` describes each. */
export const virgaErrorCodes = [
  "INVALID_CONFIG",
  "INVALID_ARGUMENT",
  "INVALID_STATE",
  "VM_NOT_FOUND",
  "VM_EXISTS",
  "VM_DESTROYED",
  "VM_BUSY",
  "VM_NOT_OURS",
  "UNSUPPORTED",
  "CAPACITY",
  "TIMEOUT",
  "ABORTED",
  "NOT_FOUND",
  "IN_USE",
  "LAUNCH_FAILED",
  "LAUNCHER_MISSING",
  "HYPERVISOR_MISSING",
  "HYPERVISOR_TOO_OLD",
  "HYPERVISOR_EXITED",
  "HYPERVISOR_ERROR",
  "HYPERVISOR_PROTOCOL",
  "SOCKET_IN_USE",
  "SNAPSHOT_INVALID",
  "SNAPSHOT_MISMATCH",
  "SNAPSHOT_FAILED",
  "DESTROY_FAILED",
  "SETUP_NEEDED",
  "SETUP_FAILED",
  "IO_ERROR",
  "COMMAND_FAILED",
  "OUTPUT_INVALID",
] as const;

/** Stable code of a {@link VirgaError}; compare this, never the message. */
export type VirgaErrorCode = (typeof virgaErrorCodes)[number];

/** Facts an error carries beside its sentence: paths, numbers, step names, log tails. JSON-serialisable. */
export type VirgaErrorDetails = Readonly<Record<string, unknown>>;

const brand = Symbol.for("virga.error");

/** What a {@link VirgaError} is made of. */
export interface VirgaErrorOptions {
  readonly details?: VirgaErrorDetails;
  readonly cause?: unknown;
  /** What the user can do next, in one sentence. */
  readonly hint?: string;
}

/** The one error class of Virga. Branded, so that two installed copies of the package agree on what is one. */
export class VirgaError extends Error {
  readonly code: VirgaErrorCode;
  readonly details: VirgaErrorDetails;
  readonly hint: string | undefined;

  constructor(code: VirgaErrorCode, message: string, options: VirgaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "VirgaError";
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint;
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isVirgaError(value);
  }
}

/** True for an error of Virga's, whichever copy of the package made it. */
export function isVirgaError(value: unknown): value is VirgaError {
  return typeof value === "object" && value !== null && brand in value;
}

/** The error of an aborted call: keeps the signal's reason as its cause. */
export function abortedError(what: string, signal: AbortSignal): VirgaError {
  return new VirgaError("ABORTED", `Aborted: ${what}`, { cause: signal.reason });
}

/** The text of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name (`ENOENT`) of a system error, if it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
