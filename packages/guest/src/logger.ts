/** What this package needs of a logger; pino's fits. */
export interface GuestLogger {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
