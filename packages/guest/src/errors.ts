/** Every code a {@link GuestError} may carry. A code is never reused for another meaning. */
export const guestErrorCodes = [
  "ABORTED",
  "FILE_REFUSED",
  "GUEST_BAD_REQUEST",
  "GUEST_BUSY",
  "GUEST_CONNECTION_LOST",
  "GUEST_DENIED",
  "GUEST_EXISTS",
  "GUEST_FAILED",
  "GUEST_IS_DIRECTORY",
  "GUEST_NOT_DIRECTORY",
  "GUEST_NOT_EMPTY",
  "GUEST_NOT_EXECUTABLE",
  "GUEST_NOT_FOUND",
  "GUEST_NOT_FROZEN",
  "GUEST_NO_SPACE",
  "GUEST_PROTOCOL",
  "GUEST_REFUSED",
  "GUEST_TAKEN_OVER",
  "GUEST_TIMEOUT",
  "GUEST_TOO_LARGE",
  "GUEST_UNKNOWN_OP",
  "HOST_FAILED",
  "HOST_NOT_FOUND",
] as const;

/** Stable code of a {@link GuestError}; compare this, never the message. */
export type GuestErrorCode = (typeof guestErrorCodes)[number];

/**
 * What became of a request that failed on the way: `"not-started"` means the agent never saw it, so that
 * repeating it is safe; `"unknown"` means it may have run, wholly or in part.
 */
export type GuestOutcome = "not-started" | "unknown";

/** Facts behind a {@link GuestError}; which are present depends on the code. */
export interface GuestErrorDetails {
  /** The agent operation, such as `"exec"`. */
  readonly op?: string;
  /** With `ABORTED`, `GUEST_CONNECTION_LOST`, `GUEST_PROTOCOL` and `GUEST_TIMEOUT`. */
  readonly outcome?: GuestOutcome;
  /** Linux error number given by the guest. */
  readonly errno?: number;
  /** With `FILE_REFUSED`, `HOST_FAILED` and `HOST_NOT_FOUND`: the file. */
  readonly path?: string;
  /** What was not found or not usable: `"program"`, `"cwd"`, `"user"` or `"limits"`. */
  readonly what?: string;
  /** With `GUEST_NOT_FROZEN`: some of the processes that did not stop. */
  readonly pids?: readonly number[];
  /** The deadline that ran out, in milliseconds. */
  readonly timeoutMs?: number;
  /** The code as the agent sent it, when this version does not know it. */
  readonly agentCode?: string;
}

/** What {@link GuestError} is made from. */
export interface GuestErrorOptions {
  readonly cause?: unknown;
  readonly details?: GuestErrorDetails;
  readonly hint?: string;
}

const notStarted = "Nothing of it was done in the guest: it is safe to try again.";
const unknown = "It may have been done, wholly or in part: look before you try again.";

/** What a lost connection means for who asked, by outcome. Whoever aborts or closes knows by himself. */
const outcomeHints: Readonly<Record<string, Partial<Record<GuestErrorCode, string>>>> = {
  "not-started": { GUEST_CONNECTION_LOST: notStarted, GUEST_TIMEOUT: notStarted },
  unknown: { GUEST_CONNECTION_LOST: unknown, GUEST_PROTOCOL: unknown, GUEST_TIMEOUT: unknown },
};

const brand = Symbol.for("virga.error");

/** The one error class of this package. It carries the brand `Symbol.for("virga.error")`, shared by all packages of Virga. */
export class GuestError extends Error {
  /** Stable code from {@link guestErrorCodes}. */
  readonly code: GuestErrorCode;
  /** Facts behind the message, for programs. */
  readonly details: GuestErrorDetails;
  /** What to do about it, where something can be done. */
  readonly hint: string | undefined;

  constructor(code: GuestErrorCode, message: string, options: GuestErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "GuestError";
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint ?? outcomeHints[options.details?.outcome ?? "none"]?.[code];
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for a {@link GuestError}, whichever copy of this package made it. */
export function isGuestError(value: unknown): value is GuestError {
  return isVirgaError(value) && value.name === "GuestError";
}

/** True for an error of any Virga package. */
export function isVirgaError(value: unknown): value is Error & { readonly code: string } {
  return typeof value === "object" && value !== null && brand in value;
}
