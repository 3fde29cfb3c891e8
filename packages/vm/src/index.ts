export {
  VirgaError,
  abortedError,
  errnoOf,
  errorText,
  isVirgaError,
  type VirgaErrorCode,
  type VirgaErrorDetails,
  type VirgaErrorOptions,
} from "./errors.ts";
export { acquireLock, tryLock, type HeldLock, type LockOptions } from "./lock.ts";
export { silentLogger, type LogMethod, type Logger } from "./logger.ts";
export { VERSION } from "./version.ts";
