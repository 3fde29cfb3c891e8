/** One log method, called as pino's are: fields first, then a sentence. */
export type LogMethod = (fields: Record<string, unknown>, message: string) => void;

/** What the library logs to: any pino-compatible logger. */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

const nothing: LogMethod = () => undefined;

/** Drops everything. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
