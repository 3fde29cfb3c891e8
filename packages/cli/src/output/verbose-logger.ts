import { printError } from "./print.ts";
import { printable } from "./printable.ts";

type LogMethod = (fields: Record<string, unknown>, message: string) => void;

/** A pino-compatible logger for `--verbose`: one line on standard error for each record. */
export const verboseLogger: Readonly<Record<"debug" | "info" | "warn" | "error", LogMethod>> = {
  debug: logMethod("debug"),
  info: logMethod("info"),
  warn: logMethod("warn"),
  error: logMethod("error"),
};

function logMethod(level: string): LogMethod {
  return (fields, message) => {
    const rest = JSON.stringify(fields, (_key, value: unknown) =>
      value instanceof Error ? value.message : value,
    );
    // JSON escapes the lower control characters, and not the upper ones.
    printError(printable(`virga: ${level}: ${message} ${rest}`));
  };
}
